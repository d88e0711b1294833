#ifndef NATIVE_KEYS_ENCRYPTION_H_
#define NATIVE_KEYS_ENCRYPTION_H_

#include <string_view>

#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"

namespace pairmint::keys {

// Encrypts for a public key (SubjectPublicKeyInfo) by what KMS calls
// `algorithm`: RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256 (both hashes of OAEP are
// that one) or SM2PKE (GB/T 32918.4, as ASN.1). kInvalidArgument if the key
// is not for it or the plaintext is too long.
core::Status EncryptFor(core::ByteSpan spki, std::string_view algorithm,
                        core::ByteSpan plaintext, core::Bytes *out);

// Decrypts with a private key (PrivateKeyInfo). A ciphertext that is wrong in
// any way gives kInvalidCiphertext and nothing more.
core::Status DecryptWith(core::ByteSpan pkcs8, std::string_view algorithm,
                         core::ByteSpan ciphertext, core::SecretBytes *out);

// The wrapping whose failures must all look alike, to the last: its padding can
// be told right from wrong (Bleichenbacher).
constexpr std::string_view kPkcs1Wrapping = "RSAES_PKCS1_V1_5";

// Undoes a wrapping of key material by what KMS calls `algorithm`, any
// AlgorithmSpec, with the private key of an import token; errors as above.
core::Status Unwrap(core::ByteSpan pkcs8, std::string_view algorithm,
                    core::ByteSpan wrapped, core::SecretBytes *out);

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_ENCRYPTION_H_
