#include "keys/mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>

namespace pairmint::keys {
namespace {

using core::Bytes;
using core::ByteSpan;
using core::Status;
using core::StatusCode;

struct Algorithm {
  std::string_view name;
  const char *digest;
  size_t len;
  size_t key_len;
};

// AWS4_HMAC_SHA_256 is of no KMS key: it derives signing keys of Signature
// Version 4 from a secret padded to a block, as HMAC itself pads.
constexpr std::array<Algorithm, 5> kAlgorithms = {{
    {"HMAC_SHA_224", "SHA224", 28, 28},
    {"HMAC_SHA_256", "SHA256", 32, 32},
    {"HMAC_SHA_384", "SHA384", 48, 48},
    {"HMAC_SHA_512", "SHA512", 64, 64},
    {"AWS4_HMAC_SHA_256", "SHA256", 32, 64},
}};

const Algorithm *Find(std::string_view name) {
  for (const Algorithm &row : kAlgorithms) {
    if (row.name == name) {
      return &row;
    }
  }
  return nullptr;
}

}  // namespace

Status Mac(ByteSpan key, std::string_view algorithm, ByteSpan message,
           Bytes *out) {
  const Algorithm *row = Find(algorithm);
  if (row == nullptr || key.size() != row->key_len) {
    return Status(StatusCode::kInvalidArgument,
                  "the key is not for this MAC algorithm");
  }
  Bytes mac(row->len);
  size_t len = 0;
  if (EVP_Q_mac(nullptr, "HMAC", nullptr, row->digest, nullptr, key.data(),
                key.size(), message.data(), message.size(), mac.data(),
                mac.size(), &len) == nullptr ||
      len != mac.size()) {
    return core::Failed("HMAC");
  }
  *out = std::move(mac);
  return Status::Ok();
}

Status VerifyMac(ByteSpan key, std::string_view algorithm, ByteSpan message,
                 ByteSpan mac, bool *valid) {
  Bytes expected;
  PAIRMINT_RETURN_IF_ERROR(Mac(key, algorithm, message, &expected));
  *valid = mac.size() == expected.size() &&
           CRYPTO_memcmp(mac.data(), expected.data(), expected.size()) == 0;
  return Status::Ok();
}

}  // namespace pairmint::keys
