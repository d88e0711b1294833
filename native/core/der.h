#ifndef NATIVE_CORE_DER_H_
#define NATIVE_CORE_DER_H_

#include <openssl/bn.h>

#include "core/bytes.h"

namespace pairmint::core {

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

}  // namespace pairmint::core

#endif  // NATIVE_CORE_DER_H_
