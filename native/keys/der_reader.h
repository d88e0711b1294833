#ifndef NATIVE_KEYS_DER_READER_H_
#define NATIVE_KEYS_DER_READER_H_

#include "core/bytes.h"

namespace pairmint::keys {

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

// DerReader is a cursor over DER (X.690) that only moves forward. After a read
// that did not fit it is at nothing: later reads are empty and done() is false.
// It copies nothing, so that secrets stay where they lie.
class DerReader {
 public:
  explicit DerReader(core::ByteSpan der) : rest_(der) {}

  // The content of the next value, which must have `tag`.
  core::ByteSpan Value(uint8_t tag) { return Element(tag).content; }
  // The same with tag and length.
  core::ByteSpan Encoded(uint8_t tag) { return Element(tag).encoded; }
  // A reader of the content of the next value.
  DerReader Inside(uint8_t tag);
  // An INTEGER that is not negative, big-endian without leading zeros.
  core::ByteSpan Natural();
  // A BIT STRING of whole bytes, maybe under another tag.
  core::ByteSpan BitString(uint8_t tag = kBitString);

  // Whether the next value has `tag`.
  [[nodiscard]] bool At(uint8_t tag) const {
    return ok_ && !rest_.empty() && rest_[0] == tag;
  }
  // Whether everything was read and fitted.
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }

 private:
  struct TagLengthValue {
    core::ByteSpan encoded;
    core::ByteSpan content;
  };

  TagLengthValue Element(uint8_t tag);
  core::ByteSpan Fail();

  core::ByteSpan rest_;
  bool ok_ = true;
};

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_DER_READER_H_
