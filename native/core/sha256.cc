// The functions below EVP are deprecated, not replaced: what EVP looks up,
// takes and gives back for each message takes longer than a short one's blocks
// do, and its states cannot be copied without memory of their own.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "core/sha256.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace pairmint::core {
namespace {

constexpr size_t kBlockLen = 64;

bool Add(SHA256_CTX *state, std::initializer_list<ByteSpan> parts) {
  return std::all_of(parts.begin(), parts.end(), [state](ByteSpan part) {
    return SHA256_Update(state, part.data(), part.size()) == 1;
  });
}

bool Finish(SHA256_CTX *state, Sha256Digest *out) {
  return SHA256_Final(out->data(), state) == 1;
}

// Hashes the block of the key, which is at most as long, and `pad`.
bool StartPadded(SHA256_CTX *state, ByteSpan key, uint8_t pad) {
  std::array<uint8_t, kBlockLen> block;
  block.fill(pad);
  for (size_t i = 0; i < key.size(); i++) {
    block[i] ^= key[i];
  }
  const bool good = SHA256_Init(state) == 1 && Add(state, {block});
  OPENSSL_cleanse(block.data(), block.size());
  return good;
}

}  // namespace

bool Sha256(std::initializer_list<ByteSpan> parts, Sha256Digest *out) {
  SHA256_CTX state;
  const bool good =
      SHA256_Init(&state) == 1 && Add(&state, parts) && Finish(&state, out);
  OPENSSL_cleanse(&state, sizeof(state));
  return good;
}

HmacKey::HmacKey(ByteSpan key) {
  Sha256Digest hashed{};
  const bool is_long = key.size() > kBlockLen;
  good_ = !is_long || Sha256({key}, &hashed);
  const ByteSpan used = is_long ? ByteSpan(hashed) : key;
  good_ = good_ && StartPadded(&inner_, used, 0x36) &&
          StartPadded(&outer_, used, 0x5c);
  OPENSSL_cleanse(hashed.data(), hashed.size());
}

HmacKey::~HmacKey() {
  OPENSSL_cleanse(&inner_, sizeof(inner_));
  OPENSSL_cleanse(&outer_, sizeof(outer_));
}

bool HmacKey::Compute(ByteSpan head, std::initializer_list<ByteSpan> parts,
                      Sha256Digest *out) const {
  if (!good_) {
    return false;
  }
  SHA256_CTX state = inner_;
  bool good = Add(&state, {head}) && Add(&state, parts) && Finish(&state, out);
  if (good) {
    state = outer_;
    good = Add(&state, {*out}) && Finish(&state, out);
  }
  OPENSSL_cleanse(&state, sizeof(state));
  return good;
}

}  // namespace pairmint::core
