#ifndef NATIVE_CORE_DER_H_
#define NATIVE_CORE_DER_H_

#include <openssl/bn.h>

#include "core/bytes.h"

namespace pairmint::core {

// Tags of X.690 and of its context-specific types.
namespace der {
constexpr uint8_t kInteger = 0x02;
constexpr uint8_t kBitString = 0x03;
constexpr uint8_t kOctetString = 0x04;
constexpr uint8_t kNull = 0x05;
constexpr uint8_t kObjectIdentifier = 0x06;
constexpr uint8_t kSequence = 0x30;
constexpr uint8_t kContext0 = 0x80;  // [0] IMPLICIT of a primitive type
constexpr uint8_t kContext1 = 0x81;
constexpr uint8_t kConstructed0 = 0xa0;
constexpr uint8_t kConstructed1 = 0xa1;
}  // namespace der

// DerWriter writes DER (X.690) from the end of a buffer to its front, so that
// every length is known when its header is written and nothing is moved.
// Secrets are written straight into the caller's locked buffer. A buffer that
// is too small makes ok() false and nothing is written past its front.
class DerWriter {
 public:
  explicit DerWriter(MutableByteSpan buffer)
      : buffer_(buffer), at_(buffer.size()) {}

  void Bytes(ByteSpan bytes);
  void Byte(uint8_t byte) { Bytes({&byte, 1}); }
  // Writes `tag` and the length of everything written since `end` was taken
  // with position(); that is, closes the value whose content ends there.
  void Header(uint8_t tag, size_t end);
  // The same of a BIT STRING of whole bytes.
  void BitStringHeader(size_t end);
  // INTEGER of a number below 128, such as a version.
  void SmallInteger(uint8_t number);
  // INTEGER of a number that is not negative.
  void Integer(const BIGNUM *number);
  // The same of big-endian bytes, with any leading zeros.
  void Integer(ByteSpan number);
  // OCTET STRING or similar of `len` bytes, big-endian with leading zeros.
  void PaddedNumber(uint8_t tag, const BIGNUM *number, size_t len);

  [[nodiscard]] size_t position() const { return at_; }
  [[nodiscard]] bool ok() const { return ok_; }
  // What has been written; valid while the buffer is.
  [[nodiscard]] ByteSpan written() const { return buffer_.subspan(at_); }

 private:
  // Makes room for `len` bytes and returns them, or nullptr.
  uint8_t *Claim(size_t len);

  MutableByteSpan buffer_;
  size_t at_;
  bool ok_ = true;
};

// DerReader is a cursor over DER (X.690) that only moves forward. After a read
// that did not fit it is at nothing: later reads are empty and done() is false.
// It copies nothing, so that secrets stay where they lie.
class DerReader {
 public:
  explicit DerReader(ByteSpan der) : rest_(der) {}

  // The content of the next value, which must have `tag`.
  ByteSpan Value(uint8_t tag) { return Element(tag).content; }
  // The same with tag and length.
  ByteSpan Encoded(uint8_t tag) { return Element(tag).encoded; }
  // A reader of the content of the next value.
  DerReader Inside(uint8_t tag);
  // An INTEGER that is not negative, big-endian without leading zeros.
  ByteSpan Natural();
  // A BIT STRING of whole bytes, maybe under another tag.
  ByteSpan BitString(uint8_t tag = der::kBitString);

  // Whether the next value has `tag`.
  [[nodiscard]] bool At(uint8_t tag) const {
    return ok_ && !rest_.empty() && rest_[0] == tag;
  }
  // Whether everything was read and fitted.
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }

 private:
  struct TagLengthValue {
    ByteSpan encoded;
    ByteSpan content;
  };

  TagLengthValue Element(uint8_t tag);
  ByteSpan Fail();

  ByteSpan rest_;
  bool ok_ = true;
};

}  // namespace pairmint::core

#endif  // NATIVE_CORE_DER_H_
