#include "core/sha256.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace pairmint::core {
namespace {

constexpr size_t kBlockLen = 64;

// Fetched once: fetching takes longer than hashing a request does. Never freed,
// as a worker may still need it while the process exits.
const EVP_MD *Algorithm() {
  static const EVP_MD *const kDigest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return kDigest;
}

}  // namespace

bool Sha256::Start() {
  return ctx_ != nullptr && Algorithm() != nullptr &&
         EVP_DigestInit_ex2(ctx_.get(), Algorithm(), nullptr) == 1;
}

bool Sha256::Add(std::initializer_list<ByteSpan> parts) {
  return std::all_of(parts.begin(), parts.end(), [this](ByteSpan part) {
    return EVP_DigestUpdate(ctx_.get(), part.data(), part.size()) == 1;
  });
}

bool Sha256::Finish(Sha256Digest *out) {
  return EVP_DigestFinal_ex(ctx_.get(), out->data(), nullptr) == 1;
}

bool Sha256::Hash(std::initializer_list<ByteSpan> parts, Sha256Digest *out) {
  return Start() && Add(parts) && Finish(out);
}

bool Sha256::Hmac(ByteSpan key, ByteSpan head,
                  std::initializer_list<ByteSpan> parts, Sha256Digest *out) {
  Sha256Digest hashed{};
  if (key.size() > kBlockLen && !Hash({key}, &hashed)) {
    return false;
  }
  const ByteSpan used = key.size() > kBlockLen ? ByteSpan(hashed) : key;
  std::array<uint8_t, kBlockLen> inner;
  std::array<uint8_t, kBlockLen> outer;
  for (size_t i = 0; i < kBlockLen; i++) {
    const uint8_t byte = i < used.size() ? used[i] : 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  const bool good = Start() && Add({inner, head}) && Add(parts) &&
                    Finish(out) && Hash({outer, *out}, out);
  OPENSSL_cleanse(hashed.data(), hashed.size());
  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  return good;
}

}  // namespace pairmint::core
