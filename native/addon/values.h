#ifndef NATIVE_ADDON_VALUES_H_
#define NATIVE_ADDON_VALUES_H_

#include <napi.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.h"

namespace pairmint::addon {

// Plain Node-API where a request is read and answered. While an environment is
// torn down, as by worker.terminate(), any call may fail at any moment, and
// node-addon-api, built without exceptions, then ends the process. Here what
// cannot be read is empty and what cannot be made is an empty value.

// The bytes of a Uint8Array, valid until JavaScript runs again.
// lib/native/addon.ts is the only caller and its types are the check; anything
// that is not a Uint8Array reads as no bytes, which every function refuses by
// length.
inline core::ByteSpan BytesOf(const Napi::Value &value) {
  napi_typedarray_type type;
  size_t len = 0;
  void *data = nullptr;
  if (value.IsEmpty() ||
      napi_get_typedarray_info(value.Env(), value, &type, &len, &data, nullptr,
                               nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return {};
  }
  return {static_cast<const uint8_t *>(data), len};
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

inline uint32_t NumberOf(const Napi::Value &value) {
  uint32_t number = 0;
  if (!value.IsEmpty()) {
    napi_get_value_uint32(value.Env(), value, &number);
  }
  return number;
}

inline bool FlagOf(const Napi::Value &value) {
  bool flag = false;
  if (!value.IsEmpty()) {
    napi_get_value_bool(value.Env(), value, &flag);
  }
  return flag;
}

// At most 63 bytes of text: the name of a spec.
inline std::string NameOf(const Napi::Value &value) {
  std::array<char, 64> text{};
  size_t len = 0;
  if (!value.IsEmpty()) {
    napi_get_value_string_utf8(value.Env(), value, text.data(), text.size(),
                               &len);
  }
  return {text.data(), len};
}

// A text of any length; empty if the value is no text.
inline std::string TextOf(const Napi::Value &value) {
  size_t len = 0;
  if (value.IsEmpty() || napi_get_value_string_utf8(value.Env(), value, nullptr,
                                                    0, &len) != napi_ok) {
    return {};
  }
  std::string text(len + 1, '\0');
  napi_get_value_string_utf8(value.Env(), value, text.data(), text.size(),
                             &len);
  text.resize(len);
  return text;
}

// Text whose characters are bytes, as those of HTTP's header fields are.
class Latin1 {
 public:
  explicit Latin1(const Napi::Value &value) {
    if (value.IsEmpty() ||
        napi_get_value_string_latin1(value.Env(), value, room_.data(),
                                     room_.size(), &len_) != napi_ok) {
      len_ = 0;
      return;
    }
    // Node-API ends it with a zero and cuts off what has no room.
    if (len_ + 1 == room_.size()) {
      ReadLong(value);
    }
  }
  ~Latin1() = default;
  Latin1(const Latin1 &) = delete;
  Latin1 &operator=(const Latin1 &) = delete;

  [[nodiscard]] core::ByteSpan span() const {
    const char *text = more_.empty() ? room_.data() : more_.data();
    return {reinterpret_cast<const uint8_t *>(text), len_};
  }

 private:
  void ReadLong(const Napi::Value &value) {
    size_t len = 0;
    napi_get_value_string_latin1(value.Env(), value, nullptr, 0, &len);
    more_.resize(len + 1);
    napi_get_value_string_latin1(value.Env(), value, more_.data(), more_.size(),
                                 &len_);
  }

  // What a signed request has, as a rule, is read in one call and without
  // memory of its own.
  std::array<char, 1024> room_;
  std::vector<char> more_;
  size_t len_ = 0;
};

inline Napi::Value Member(const Napi::Value &object, const char *name) {
  napi_value member = nullptr;
  if (object.IsEmpty() ||
      napi_get_named_property(object.Env(), object, name, &member) != napi_ok) {
    return {};
  }
  return {object.Env(), member};
}

// The elements of an array; of anything else none.
inline std::vector<Napi::Value> ElementsOf(const Napi::Value &array) {
  uint32_t len = 0;
  if (array.IsEmpty() ||
      napi_get_array_length(array.Env(), array, &len) != napi_ok) {
    return {};
  }
  std::vector<Napi::Value> elements;
  elements.reserve(len);
  for (uint32_t i = 0; i < len; i++) {
    napi_value element = nullptr;
    napi_get_element(array.Env(), array, i, &element);
    elements.emplace_back(array.Env(), element);
  }
  return elements;
}

inline Napi::Value ToBoolean(Napi::Env env, bool flag) {
  napi_value boolean = nullptr;
  if (napi_get_boolean(env, flag, &boolean) != napi_ok) {
    return {};
  }
  return {env, boolean};
}

inline Napi::Value ToUint8Array(Napi::Env env, core::ByteSpan bytes) {
  void *data = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_arraybuffer(env, bytes.size(), &data, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_uint8_array, bytes.size(), buffer, 0,
                             &array) != napi_ok) {
    return {};
  }
  std::copy(bytes.begin(), bytes.end(), static_cast<uint8_t *>(data));
  return {env, array};
}

inline Napi::Value ToObject(
    Napi::Env env,
    std::initializer_list<std::pair<const char *, Napi::Value>> members) {
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) {
    return {};
  }
  for (const auto &[name, value] : members) {
    if (value.IsEmpty() ||
        napi_set_named_property(env, object, name, value) != napi_ok) {
      return {};
    }
  }
  return {env, object};
}

inline Napi::Value ToArray(Napi::Env env,
                           const std::vector<Napi::Value> &elements) {
  napi_value array = nullptr;
  if (napi_create_array_with_length(env, elements.size(), &array) != napi_ok) {
    return {};
  }
  for (uint32_t i = 0; i < elements.size(); i++) {
    if (elements[i].IsEmpty() ||
        napi_set_element(env, array, i, elements[i]) != napi_ok) {
      return {};
    }
  }
  return {env, array};
}

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_VALUES_H_
