#ifndef NATIVE_CORE_SECRET_BOX_H_
#define NATIVE_CORE_SECRET_BOX_H_

#include <type_traits>

#include "core/secret_bytes.h"

namespace pairmint::core {

// SecretBox holds one object without pointers in locked memory that is wiped
// afterwards. The object starts as zeros.
template <typename T>
class SecretBox {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  SecretBox() : bytes_(sizeof(T)) {}

  [[nodiscard]] T &operator*() { return *get(); }
  [[nodiscard]] const T &operator*() const { return *get(); }
  [[nodiscard]] T *operator->() { return get(); }
  [[nodiscard]] const T *operator->() const { return get(); }
  [[nodiscard]] T *get() { return reinterpret_cast<T *>(bytes_.data()); }
  [[nodiscard]] const T *get() const {
    return reinterpret_cast<const T *>(bytes_.data());
  }

 private:
  SecretBytes bytes_;
};

}  // namespace pairmint::core

#endif  // NATIVE_CORE_SECRET_BOX_H_
