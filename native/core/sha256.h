#ifndef NATIVE_CORE_SHA256_H_
#define NATIVE_CORE_SHA256_H_

#include <openssl/sha.h>

#include <array>
#include <initializer_list>

#include "core/bytes.h"

namespace pairmint::core {

constexpr size_t kSha256Len = 32;

using Sha256Digest = std::array<uint8_t, kSha256Len>;

// SHA-256 (FIPS 180-4) of the parts in a row. False if OpenSSL fails.
[[nodiscard]] bool Sha256(std::initializer_list<ByteSpan> parts,
                          Sha256Digest *out);

// HmacKey computes HMAC-SHA-256 (RFC 2104) under one key, which is hashed once
// for any number of messages. Holds secrets, in its own memory, and wipes them.
class HmacKey {
 public:
  explicit HmacKey(ByteSpan key);
  ~HmacKey();
  HmacKey(const HmacKey &) = delete;
  HmacKey &operator=(const HmacKey &) = delete;

  // The code of the head and the parts in a row. False if OpenSSL fails.
  [[nodiscard]] bool Compute(ByteSpan head,
                             std::initializer_list<ByteSpan> parts,
                             Sha256Digest *out) const;

 private:
  // The hash of the inner and of the outer pad, so far.
  SHA256_CTX inner_;
  SHA256_CTX outer_;
  bool good_;
};

}  // namespace pairmint::core

#endif  // NATIVE_CORE_SHA256_H_
