#include "core/der.h"

#include <algorithm>

#include "core/words.h"

namespace pairmint::core {
namespace {

// No key has 64 KiB, so that a reader needs no more of a length.
constexpr size_t kMaxLengthBytes = 2;

}  // namespace

uint8_t *DerWriter::Claim(size_t len) {
  if (!ok_ || len > at_) {
    ok_ = false;
    return nullptr;
  }
  at_ -= len;
  return buffer_.data() + at_;
}

void DerWriter::Bytes(ByteSpan bytes) {
  uint8_t *out = Claim(bytes.size());
  if (out != nullptr) {
    std::copy(bytes.begin(), bytes.end(), out);
  }
}

void DerWriter::Header(uint8_t tag, size_t end) {
  size_t len = end - at_;
  if (len < 0x80) {
    Byte(static_cast<uint8_t>(len));
  } else {
    uint8_t num_len_bytes = 0;
    for (; len > 0; len >>= 8) {
      Byte(static_cast<uint8_t>(len));
      num_len_bytes++;
    }
    Byte(0x80 | num_len_bytes);
  }
  Byte(tag);
}

void DerWriter::BitStringHeader(size_t end) {
  Byte(0);  // bits of the last byte that are not used
  Header(der::kBitString, end);
}

void DerWriter::SmallInteger(uint8_t number) {
  const size_t end = at_;
  Byte(number);
  Header(der::kInteger, end);
}

void DerWriter::Integer(const BIGNUM *number) {
  // One zero byte in front when the top bit is set, and for the number zero:
  // exactly when the bit length is a multiple of eight.
  PaddedNumber(der::kInteger, number,
               static_cast<size_t>(BN_num_bits(number)) / 8 + 1);
}

void DerWriter::Integer(ByteSpan number) {
  while (!number.empty() && number.front() == 0) {
    number = number.subspan(1);
  }
  const size_t end = at_;
  Bytes(number);
  if (number.empty() || number.front() >= 0x80) {
    Byte(0);
  }
  Header(der::kInteger, end);
}

void DerWriter::PaddedNumber(uint8_t tag, const BIGNUM *number, size_t len) {
  const size_t end = at_;
  uint8_t *out = Claim(len);
  if (out != nullptr && BN_bn2binpad(number, out, static_cast<int>(len)) < 0) {
    ok_ = false;
  }
  Header(tag, end);
}

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
    len = LoadBigEndian(rest_.subspan(2, num_len_bytes));
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
  const ByteSpan content = Value(der::kInteger);
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

}  // namespace pairmint::core
