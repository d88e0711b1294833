#include "envelope/kdf.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>

#include "core/sha256.h"
#include "core/words.h"

namespace pairmint::envelope {
namespace {

using core::ByteSpan;
using core::Failed;
using core::HmacKey;
using core::MutableByteSpan;
using core::Sha256Digest;
using core::Status;
using core::StatusCode;

}  // namespace

Status Hmac(ByteSpan key, std::initializer_list<ByteSpan> parts,
            MutableByteSpan out) {
  Sha256Digest digest;
  if (out.size() != kHmacLen || !HmacKey(key).Compute({}, parts, &digest)) {
    return Failed("HMAC");
  }
  std::copy(digest.begin(), digest.end(), out.begin());
  return Status::Ok();
}

Status CounterKdf(ByteSpan key, std::initializer_list<ByteSpan> fixed_data,
                  MutableByteSpan out) {
  const HmacKey hmac_key(key);
  Sha256Digest block;
  std::array<uint8_t, 4> counter;
  bool good = true;
  uint32_t i = 1;
  for (MutableByteSpan rest = out; good && !rest.empty(); i++) {
    core::StoreBigEndian(i, counter);
    good = hmac_key.Compute(counter, fixed_data, &block);
    const size_t len = std::min(block.size(), rest.size());
    std::copy_n(block.begin(), len, rest.begin());
    rest = rest.subspan(len);
  }
  OPENSSL_cleanse(block.data(), block.size());
  if (!good) {
    OPENSSL_cleanse(out.data(), out.size());
    return Failed("HMAC");
  }
  return Status::Ok();
}

Status DeriveKey(ByteSpan key, std::string_view label, ByteSpan context,
                 MutableByteSpan out) {
  const ByteSpan label_bytes(reinterpret_cast<const uint8_t *>(label.data()),
                             label.size());
  const std::array<uint8_t, 1> separator = {0};
  std::array<uint8_t, 4> bit_len;
  core::StoreBigEndian(out.size() * 8, bit_len);
  return CounterKdf(key, {label_bytes, separator, context, bit_len}, out);
}

}  // namespace pairmint::envelope
