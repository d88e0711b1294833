#include "core/der.h"

#include <cstring>

namespace pairmint::core {
namespace {

constexpr uint8_t kIntegerTag = 0x02;

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
  if (out != nullptr && !bytes.empty()) {
    memcpy(out, bytes.data(), bytes.size());
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

void DerWriter::Integer(const BIGNUM *number) {
  // One zero byte in front when the top bit is set, and for the number zero:
  // exactly when the bit length is a multiple of eight.
  PaddedNumber(kIntegerTag, number,
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
  Header(kIntegerTag, end);
}

void DerWriter::PaddedNumber(uint8_t tag, const BIGNUM *number, size_t len) {
  const size_t end = at_;
  uint8_t *out = Claim(len);
  if (out != nullptr && BN_bn2binpad(number, out, static_cast<int>(len)) < 0) {
    ok_ = false;
  }
  Header(tag, end);
}

}  // namespace pairmint::core
