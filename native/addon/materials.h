#ifndef NATIVE_ADDON_MATERIALS_H_
#define NATIVE_ADDON_MATERIALS_H_

#include <napi.h>

#include "addon/handles.h"
#include "addon/job.h"
#include "addon/values.h"
#include "core/status.h"
#include "envelope/key_material.h"
#include "envelope/record.h"

namespace pairmint::addon {

using SharedMaterial = std::shared_ptr<const envelope::KeyMaterial>;

// The material of a handle. nullptr unless it is a secret of `kind`, and then
// `refusal` says why not.
inline SharedMaterial MaterialOf(const Napi::Value &value,
                                 envelope::SecretKind kind,
                                 core::Status *refusal) {
  auto material = FromHandle<envelope::KeyMaterial>(value, refusal);
  if (material != nullptr && material->kind == kind) {
    return material;
  }
  if (refusal->ok()) {
    *refusal = NotUnderstood();
  }
  return nullptr;
}

// Of an HMAC or symmetric KMS key.
inline SharedMaterial SecretMaterial(const Napi::Value &value,
                                     core::Status *refusal) {
  return MaterialOf(value, envelope::SecretKind::kBytes, refusal);
}

// Of a symmetric KMS key, which seals and opens.
inline SharedMaterial SealingMaterial(const Napi::Value &value,
                                      core::Status *refusal) {
  auto material = SecretMaterial(value, refusal);
  if (material != nullptr &&
      material->secret.size() != envelope::kMaterialLen) {
    *refusal = NotUnderstood();
    return nullptr;
  }
  return material;
}

inline SharedMaterial PrivateKeyMaterial(const Napi::Value &value,
                                         core::Status *refusal) {
  return MaterialOf(value, envelope::SecretKind::kPrivateKey, refusal);
}

// The object that JavaScript has for a record, and for the public key if there
// is one.
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

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_MATERIALS_H_
