#ifndef NATIVE_CORE_SHA256_H_
#define NATIVE_CORE_SHA256_H_

#include <array>
#include <initializer_list>

#include "core/bytes.h"
#include "core/openssl.h"

namespace pairmint::core {

constexpr size_t kSha256Len = 32;

using Sha256Digest = std::array<uint8_t, kSha256Len>;

// Sha256 hashes one message after the other. It is OpenSSL's, in one context:
// what EVP_Digest and EVP_MAC look up, take and give back for each message
// takes longer than a short one's blocks do. False where OpenSSL fails.
class Sha256 {
 public:
  // SHA-256 (FIPS 180-4) of the parts in a row.
  [[nodiscard]] bool Hash(std::initializer_list<ByteSpan> parts,
                          Sha256Digest *out);

  // HMAC-SHA-256 (RFC 2104) of the head and the parts in a row.
  [[nodiscard]] bool Hmac(ByteSpan key, ByteSpan head,
                          std::initializer_list<ByteSpan> parts,
                          Sha256Digest *out);

 private:
  bool Start();
  bool Add(std::initializer_list<ByteSpan> parts);
  bool Finish(Sha256Digest *out);

  // Wiped when freed.
  const MdCtxPtr ctx_{EVP_MD_CTX_new()};
};

}  // namespace pairmint::core

#endif  // NATIVE_CORE_SHA256_H_
