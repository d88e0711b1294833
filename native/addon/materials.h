#ifndef NATIVE_ADDON_MATERIALS_H_
#define NATIVE_ADDON_MATERIALS_H_

#include <napi.h>

#include "addon/values.h"
#include "core/status.h"
#include "envelope/key_material.h"
#include "envelope/record.h"

namespace pairmint::addon {

using SharedMaterial = std::shared_ptr<const envelope::KeyMaterial>;

// The material of a handle; nullptr where it is none of `kind`.
inline SharedMaterial MaterialOf(const Napi::Value &value,
                                 envelope::SecretKind kind) {
  auto material = FromHandle<envelope::KeyMaterial>(value);
  return material != nullptr && material->kind == kind ? std::move(material)
                                                       : nullptr;
}

// Of a symmetric KMS key, which seals and opens.
inline SharedMaterial SealingMaterial(const Napi::Value &value) {
  auto material = MaterialOf(value, envelope::SecretKind::kBytes);
  return material != nullptr &&
                 material->secret.size() == envelope::kMaterialLen
             ? std::move(material)
             : nullptr;
}

inline SharedMaterial PrivateKeyMaterial(const Napi::Value &value) {
  return MaterialOf(value, envelope::SecretKind::kPrivateKey);
}

// The object that JavaScript has for a record, and for the public key where
// there is one.
inline Napi::Value ToMaterialRecord(Napi::Env env,
                                    const envelope::Record &record,
                                    core::ByteSpan public_key = {}) {
  const Napi::Value header = ToUint8Array(env, record.header);
  const Napi::Value wrapped = ToUint8Array(env, record.wrapped);
  if (public_key.empty()) {
    return ToObject(env, {{"header", header}, {"wrapped", wrapped}});
  }
  return ToObject(env, {{"header", header},
                        {"wrapped", wrapped},
                        {"publicKey", ToUint8Array(env, public_key)}});
}

inline core::Status NotUnderstood() {
  return core::Status(core::StatusCode::kInvalidArgument,
                      "the arguments do not fit");
}

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_MATERIALS_H_
