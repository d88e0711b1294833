#ifndef NATIVE_ADDON_HANDLES_H_
#define NATIVE_ADDON_HANDLES_H_

#include <napi.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "core/secret_bytes.h"
#include "core/status.h"
#include "envelope/key_material.h"

namespace pairmint::addon {

// A handle is a native object that JavaScript can hold and pass back but not
// look into. It is shared, so that a job may outlive its collection.
enum class HandleKind { kRootKey, kKeyMaterial };

// HandleBox is what a handle points to. The kind lies in front of an object of
// any type, so that it can be read before the type is known. Node-API's own
// tags are for objects: externals take them since Node 20.12 only.
template <typename T>
struct HandleBox {
  HandleKind kind;
  std::shared_ptr<const T> object;
};

template <typename T>
struct KindOf;
template <>
struct KindOf<core::SecretBytes> {
  static constexpr HandleKind kValue = HandleKind::kRootKey;
};
template <>
struct KindOf<envelope::KeyMaterial> {
  static constexpr HandleKind kValue = HandleKind::kKeyMaterial;
};

template <typename T>
Napi::Value ToHandle(Napi::Env env, std::shared_ptr<const T> object) {
  using Box = HandleBox<T>;
  return Napi::External<Box>::New(env,
                                  new Box{KindOf<T>::kValue, std::move(object)},
                                  [](Napi::Env, Box *box) { delete box; });
}

// The object of a handle. For anything but a handle to a T it is nullptr, and
// `refusal`, unless there is one already, becomes kInvalidHandle.
template <typename T>
std::shared_ptr<const T> FromHandle(const Napi::Value &value,
                                    core::Status *refusal) {
  static_assert(offsetof(HandleBox<T>, kind) == 0);
  void *data = nullptr;
  if (!value.IsEmpty() &&
      napi_get_value_external(value.Env(), value, &data) == napi_ok &&
      *static_cast<HandleKind *>(data) == KindOf<T>::kValue) {
    return static_cast<HandleBox<T> *>(data)->object;
  }
  if (refusal->ok()) {
    *refusal = core::Status(core::StatusCode::kInvalidHandle,
                            "this is a handle of another kind, or none");
  }
  return nullptr;
}

inline std::shared_ptr<const core::SecretBytes> RootKeyOf(
    const Napi::Value &value, core::Status *refusal) {
  return FromHandle<core::SecretBytes>(value, refusal);
}

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_HANDLES_H_
