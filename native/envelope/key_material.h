#ifndef NATIVE_ENVELOPE_KEY_MATERIAL_H_
#define NATIVE_ENVELOPE_KEY_MATERIAL_H_

#include <array>

#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"

namespace pairmint::envelope {

constexpr size_t kKeyIdLen = 16;
constexpr size_t kMaterialIdLen = 32;
// Bytes of a secret that seals.
constexpr size_t kMaterialLen = 32;

using KeyId = std::array<uint8_t, kKeyIdLen>;
using MaterialId = std::array<uint8_t, kMaterialIdLen>;

// What a secret is. The values are the letters that records have for them.
enum class SecretKind : uint8_t {
  kBytes = 'S',        // of AES-256 and HMAC
  kPrivateKey = 'A',   // of an asymmetric KMS key: PrivateKeyInfo, DER
  kWrappingKey = 'I',  // of an import token: PrivateKeyInfo, DER
};

// KeyMaterial is the secret of a KMS key at one point of its rotation, and the
// names it goes by in blobs and records.
struct KeyMaterial {
  KeyId key_id;
  MaterialId id;
  SecretKind kind = SecretKind::kBytes;
  core::SecretBytes secret;
};

// Derives the name of `secret` as material of the key `key_id`
// (docs/envelope.md section 3). Comparing it is a 256-bit check of the secret.
core::Status DeriveMaterialId(core::ByteSpan secret, const KeyId &key_id,
                              MaterialId *out);

}  // namespace pairmint::envelope

#endif  // NATIVE_ENVELOPE_KEY_MATERIAL_H_
