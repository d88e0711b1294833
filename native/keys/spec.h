#ifndef NATIVE_KEYS_SPEC_H_
#define NATIVE_KEYS_SPEC_H_

#include <cstddef>
#include <span>
#include <string_view>

#include "core/bytes.h"

namespace pairmint::keys {

enum class Family { kBytes, kRsa, kEc, kSm2, kEd25519, kMlDsa };

// Spec is one row of the table of what a KMS key can be. How its material is
// made, imported and used follows from the family.
struct Spec {
  std::string_view name;  // KMS's KeySpec
  Family family;
  // Bytes of the secret, or bits of the RSA modulus; 0 where the type says it.
  size_t size;
  // What OpenSSL calls the type of key.
  const char *type = nullptr;
  // What ec::FindCurve calls the curve.
  const char *curve = nullptr;
  // The OBJECT IDENTIFIER of a type that has one to itself, tag and length
  // included. OpenSSL 3.0 does not know ML-DSA's, but such a key must not be
  // taken for no key at all.
  core::ByteSpan oid = {};
};

std::span<const Spec> Specs();

// The row called `name`, or nullptr.
const Spec *FindSpec(std::string_view name);

// Whether some row's secret is `len` bytes.
bool IsSecretLength(size_t len);

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_SPEC_H_
