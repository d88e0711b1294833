#ifndef NATIVE_ENVELOPE_BLOB_H_
#define NATIVE_ENVELOPE_BLOB_H_

#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"
#include "envelope/aes.h"
#include "envelope/key_material.h"

namespace pairmint::envelope {

// The DKP envelope, version 1: docs/envelope.md. The format is frozen.

enum class Kind : uint8_t { kData = 1, kDataKey = 2, kPrivateKey = 3 };

constexpr size_t kNonceLen = 32;
// What is drawn for each sealing: the nonce and the IV.
constexpr size_t kFreshnessLen = kNonceLen + kGcmIvLen;
constexpr size_t kHeaderLen = 100;
constexpr size_t kCommitmentLen = 32;
constexpr size_t kOverhead = kHeaderLen + kCommitmentLen + kGcmTagLen;
constexpr size_t kMaxBlobLen = 6144;  // AWS's limit for a ciphertext blob
constexpr size_t kMaxPlaintextLen = kMaxBlobLen - kOverhead;

// What makes two sealings of the same plaintext different.
struct Freshness {
  std::array<uint8_t, kNonceLen> nonce;
  std::array<uint8_t, kGcmIvLen> iv;
};

// Seals `plaintext` under `material`, bound to the canonical encryption
// context `context`. Fails with kInvalidArgument above kMaxPlaintextLen.
core::Status Seal(const KeyMaterial &material, Kind kind,
                  core::ByteSpan context, core::ByteSpan plaintext,
                  core::Bytes *out);

// Makes a secret of as many bytes as `secret` has and seals it. On failure
// `secret` is as it was.
core::Status SealFresh(const KeyMaterial &material, Kind kind,
                       core::ByteSpan context, core::SecretBytes *secret,
                       core::Bytes *out);

// Seal with given randomness. A repeated nonce under one material is a
// catastrophe: only Seal, SealFresh and known-answer tests call this.
core::Status SealWith(const Freshness &freshness, const KeyMaterial &material,
                      Kind kind, core::ByteSpan context,
                      core::ByteSpan plaintext, core::Bytes *out);

// Opens a blob. Anything wrong with it, its context or the material gives
// kInvalidCiphertext and nothing more. `kind` may be null.
core::Status Open(const KeyMaterial &material, core::ByteSpan context,
                  core::ByteSpan blob, core::SecretBytes *out, Kind *kind);

}  // namespace pairmint::envelope

#endif  // NATIVE_ENVELOPE_BLOB_H_
