#include "keys/spec.h"

#include <algorithm>
#include <array>

namespace pairmint::keys {
namespace {

// 1.3.101.112, RFC 8410
constexpr std::array<uint8_t, 5> kEd25519Oid = {0x06, 0x03, 0x2b, 0x65, 0x70};
// 2.16.840.1.101.3.4.3.17 to 19, RFC 9881
constexpr std::array<uint8_t, 11> kMlDsa44Oid = {
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11};
constexpr std::array<uint8_t, 11> kMlDsa65Oid = {
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12};
constexpr std::array<uint8_t, 11> kMlDsa87Oid = {
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13};

constexpr std::array<Spec, 17> kSpecs = {{
    {"SYMMETRIC_DEFAULT", Family::kBytes, 32},
    {"HMAC_224", Family::kBytes, 28},
    {"HMAC_256", Family::kBytes, 32},
    {"HMAC_384", Family::kBytes, 48},
    {"HMAC_512", Family::kBytes, 64},
    {"RSA_2048", Family::kRsa, 2048, "RSA"},
    {"RSA_3072", Family::kRsa, 3072, "RSA"},
    {"RSA_4096", Family::kRsa, 4096, "RSA"},
    {"ECC_NIST_P256", Family::kEc, 0, "EC", "P-256"},
    {"ECC_NIST_P384", Family::kEc, 0, "EC", "P-384"},
    {"ECC_NIST_P521", Family::kEc, 0, "EC", "P-521"},
    {"ECC_SECG_P256K1", Family::kEc, 0, "EC", "secp256k1"},
    {"SM2", Family::kSm2, 0, "SM2", "SM2"},
    {"ECC_NIST_EDWARDS25519", Family::kEd25519, 0, "ED25519", nullptr,
     kEd25519Oid},
    {"ML_DSA_44", Family::kMlDsa, 0, "ML-DSA-44", nullptr, kMlDsa44Oid},
    {"ML_DSA_65", Family::kMlDsa, 0, "ML-DSA-65", nullptr, kMlDsa65Oid},
    {"ML_DSA_87", Family::kMlDsa, 0, "ML-DSA-87", nullptr, kMlDsa87Oid},
}};

}  // namespace

std::span<const Spec> Specs() { return kSpecs; }

const Spec *FindSpec(std::string_view name) {
  for (const Spec &spec : kSpecs) {
    if (spec.name == name) {
      return &spec;
    }
  }
  return nullptr;
}

bool IsSecretLength(size_t len) {
  return std::any_of(kSpecs.begin(), kSpecs.end(), [len](const Spec &spec) {
    return spec.family == Family::kBytes && spec.size == len;
  });
}

}  // namespace pairmint::keys
