#include "keys/der_reader.h"

namespace pairmint::keys {
namespace {

using core::ByteSpan;

// No key has 64 KiB.
constexpr size_t kMaxLengthBytes = 2;

}  // namespace

ByteSpan DerReader::Fail() {
  ok_ = false;
  rest_ = {};
  return {};
}

DerReader::TagLengthValue DerReader::Element(uint8_t tag) {
  if (!At(tag) || rest_.size() < 2) {
    return {Fail(), {}};
  }
  size_t len = rest_[1];
  size_t header_len = 2;
  if (len >= 0x80) {
    const size_t num_len_bytes = len & 0x7f;
    header_len += num_len_bytes;
    if (num_len_bytes == 0 || num_len_bytes > kMaxLengthBytes ||
        rest_.size() < header_len) {
      return {Fail(), {}};
    }
    len = 0;
    for (const uint8_t byte : rest_.subspan(2, num_len_bytes)) {
      len = len << 8 | byte;
    }
    // DER has one encoding of a length, the shortest.
    if (len < 0x80 || len >> (8 * (num_len_bytes - 1)) == 0) {
      return {Fail(), {}};
    }
  }
  if (rest_.size() - header_len < len) {
    return {Fail(), {}};
  }
  const ByteSpan encoded = rest_.first(header_len + len);
  rest_ = rest_.subspan(encoded.size());
  return {encoded, encoded.subspan(header_len)};
}

DerReader DerReader::Inside(uint8_t tag) {
  DerReader inside(Value(tag));
  inside.ok_ = ok_;
  return inside;
}

ByteSpan DerReader::Natural() {
  const ByteSpan content = Value(kInteger);
  if (content.empty() || content[0] >= 0x80) {
    return Fail();
  }
  if (content[0] != 0) {
    return content;
  }
  if (content.size() > 1 && content[1] < 0x80) {
    return Fail();
  }
  return content.subspan(1);
}

ByteSpan DerReader::BitString(uint8_t tag) {
  const ByteSpan content = Value(tag);
  return content.empty() || content[0] != 0 ? Fail() : content.subspan(1);
}

}  // namespace pairmint::keys
