#include "ec/ed25519.h"

#include <algorithm>
#include <array>

#include "core/openssl.h"
#include "core/random.h"

namespace pairmint::ec {
namespace {

using core::KeyPair;
using core::PkeyPtr;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

constexpr size_t kKeyLen = 32;
// Everything in front of the key: AlgorithmIdentifier { 1.3.101.112 }, no
// parameters (RFC 8410 section 3).
constexpr std::array<uint8_t, 12> kPublicPrefix = {
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::array<uint8_t, 16> kPrivatePrefix = {
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

}  // namespace

Status EncodeEd25519(core::ByteSpan seed, KeyPair *out) {
  const PkeyPtr pkey(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                                  seed.data(), seed.size()));
  core::Bytes public_key(kPublicPrefix.size() + kKeyLen);
  size_t len = kKeyLen;
  if (pkey == nullptr ||
      EVP_PKEY_get_raw_public_key(
          pkey.get(), public_key.data() + kPublicPrefix.size(), &len) != 1 ||
      len != kKeyLen) {
    return core::Failed("Ed25519 key generation");
  }
  std::copy(kPublicPrefix.begin(), kPublicPrefix.end(), public_key.begin());
  SecretBytes private_key(kPrivatePrefix.size() + kKeyLen);
  std::copy(kPrivatePrefix.begin(), kPrivatePrefix.end(), private_key.data());
  std::copy(seed.begin(), seed.end(),
            private_key.data() + kPrivatePrefix.size());
  out->public_key = std::move(public_key);
  out->private_key = std::move(private_key);
  return Status::Ok();
}

Status MintEd25519(KeyPair *out) {
  SecretBytes seed(kKeyLen);
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(seed.mutable_span()));
  return EncodeEd25519(seed.span(), out);
}

}  // namespace pairmint::ec
