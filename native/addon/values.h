#ifndef NATIVE_ADDON_VALUES_H_
#define NATIVE_ADDON_VALUES_H_

#include <napi.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "core/bytes.h"
#include "core/secret_bytes.h"

namespace pairmint::addon {

// The bytes of a Uint8Array, valid until JavaScript runs again. lib/native.ts
// is the only caller and its types are the check; anything that is not a
// Uint8Array reads as no bytes, which every function refuses by length.
inline core::ByteSpan BytesOf(const Napi::Value &value) {
  if (!value.IsTypedArray()) {
    return {};
  }
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

inline core::Bytes CopyOf(const Napi::Value &value) {
  const core::ByteSpan bytes = BytesOf(value);
  return {bytes.begin(), bytes.end()};
}

template <size_t kLen>
std::array<uint8_t, kLen> ArrayOf(const Napi::Value &value) {
  std::array<uint8_t, kLen> out{};
  const core::ByteSpan bytes = BytesOf(value);
  std::copy_n(bytes.begin(), std::min(kLen, bytes.size()), out.begin());
  return out;
}

inline Napi::Uint8Array ToUint8Array(Napi::Env env, core::ByteSpan bytes) {
  Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size());
  std::copy(bytes.begin(), bytes.end(), array.Data());
  return array;
}

// A handle is a native object that JavaScript can hold and pass back but not
// look into. It is shared, so that a job may outlive its collection.
template <typename T>
Napi::Value ToHandle(Napi::Env env, std::shared_ptr<const T> object) {
  using Shared = std::shared_ptr<const T>;
  return Napi::External<Shared>::New(
      env, new Shared(std::move(object)),
      [](Napi::Env, Shared *shared) { delete shared; });
}

template <typename T>
std::shared_ptr<const T> FromHandle(const Napi::Value &value) {
  return *value.As<Napi::External<std::shared_ptr<const T>>>().Data();
}

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_VALUES_H_
