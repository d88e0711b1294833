#ifndef NATIVE_CORE_SECRET_BYTES_H_
#define NATIVE_CORE_SECRET_BYTES_H_

#include <cstddef>
#include <cstdint>

#include "core/bytes.h"

namespace pairmint::core {

// SecretBytes owns key material: fixed in size, move-only, zero when made,
// wiped when destroyed. Its pages are locked in memory and left out of core
// dumps if the system allows it; LockedMemory() says whether it did.
// Running out of memory ends the process, as operator new does here.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(size_t size);
  explicit SecretBytes(ByteSpan copy_of);
  ~SecretBytes();

  SecretBytes(SecretBytes &&other) noexcept;
  SecretBytes &operator=(SecretBytes &&other) noexcept;
  SecretBytes(const SecretBytes &) = delete;
  SecretBytes &operator=(const SecretBytes &) = delete;

  [[nodiscard]] uint8_t *data() { return data_; }
  [[nodiscard]] const uint8_t *data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] ByteSpan span() const { return {data_, size_}; }
  [[nodiscard]] MutableByteSpan mutable_span() { return {data_, size_}; }

  // Makes the secret shorter and wipes what is cut off. For output whose exact
  // length is known only afterwards (DER).
  void Truncate(size_t size);

 private:
  uint8_t *data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Zeroes bytes that nobody reads any more. Many times as fast as
// OPENSSL_cleanse, which writes eight at a time.
void Wipe(MutableByteSpan bytes);

#if defined(PAIRMINT_TESTING)
struct SecretPages {
  size_t num_mapped;  // how often pages were taken from the system
  size_t num_kept;    // workspaces that wait to be used again
};
SecretPages CountSecretPages();
#endif

// Whether every page that SecretBytes has used so far could be locked.
bool LockedMemory();

}  // namespace pairmint::core

#endif  // NATIVE_CORE_SECRET_BYTES_H_
