#ifndef NATIVE_ENVELOPE_AES_H_
#define NATIVE_ENVELOPE_AES_H_

#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"

namespace pairmint::envelope {

constexpr size_t kAesKeyLen = 32;
constexpr size_t kGcmIvLen = 12;
constexpr size_t kGcmTagLen = 16;

// AES-256-GCM (SP 800-38D). `out` has room for the ciphertext, which is as
// long as the plaintext, and the tag behind it.
core::Status GcmSeal(core::ByteSpan key, core::ByteSpan iv, core::ByteSpan aad,
                     core::ByteSpan plaintext, core::MutableByteSpan out);

// `ciphertext` ends with the tag. When the tag is wrong: kInvalidCiphertext,
// and what had been decrypted is wiped and never seen.
core::Status GcmOpen(core::ByteSpan key, core::ByteSpan iv, core::ByteSpan aad,
                     core::ByteSpan ciphertext, core::SecretBytes *out);

// AES-256-KWP (SP 800-38F 6.3, RFC 5649).
core::Status KwpWrap(core::ByteSpan kek, core::ByteSpan plaintext,
                     core::Bytes *out);
// Anything that is not a wrapping under `kek`: kInvalidRecord.
core::Status KwpUnwrap(core::ByteSpan kek, core::ByteSpan wrapped,
                       core::SecretBytes *out);

}  // namespace pairmint::envelope

#endif  // NATIVE_ENVELOPE_AES_H_
