// What lib/store needs of the root key: it is read, used and wiped here and
// JavaScript holds a handle.
#include "addon/exports.h"
#include "addon/handles.h"
#include "addon/job.h"
#include "addon/materials.h"
#include "addon/values.h"
#include "core/random.h"
#include "envelope/record.h"
#include "envelope/root_key.h"
#include "keys/spec.h"

namespace pairmint::addon {
namespace {

using core::SecretBytes;
using core::Status;
using core::StatusCode;
using envelope::KeyMaterial;

// Draws a secret of `len` bytes, as some spec has it, and makes its record.
Status DrawMaterial(const SecretBytes &root_key, const envelope::KeyId &key_id,
                    core::ByteSpan attributes, size_t len,
                    envelope::Record *out) {
  if (!keys::IsSecretLength(len)) {
    return Status(StatusCode::kInvalidArgument,
                  "no KMS key has a secret of this length");
  }
  SecretBytes secret(len);
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(secret.mutable_span()));
  return envelope::CreateRecord(root_key.span(), envelope::SecretKind::kBytes,
                                key_id, attributes, secret.span(), out);
}

Napi::Value OpenRootKey(const Napi::CallbackInfo &info) {
  const CleanErrorQueue clean;
  auto key = std::make_shared<SecretBytes>();
  if (info[0].IsString()) {
    const Status status =
        envelope::ReadRootKey(info[0].As<Napi::String>(), key.get());
    if (!status.ok()) {
      return Throw(info.Env(), status);
    }
  } else if (info[0].IsUndefined()) {
    *key = SecretBytes(envelope::kRootKeyLen);
    const Status status = core::FillRandom(key->mutable_span());
    if (!status.ok()) {
      return Throw(info.Env(), status);
    }
  } else {
    *key = SecretBytes(BytesOf(info[0]));
  }
  if (key->size() != envelope::kRootKeyLen) {
    return Throw(info.Env(), Status(StatusCode::kRootKeyRefused,
                                    "a root key has exactly 32 bytes"));
  }
  return ToHandle<SecretBytes>(info.Env(), std::move(key));
}

Napi::Value CreateRootKey(const Napi::CallbackInfo &info) {
  const CleanErrorQueue clean;
  bool created = false;
  const Status status =
      envelope::CreateRootKey(info[0].As<Napi::String>(), &created);
  if (!status.ok()) {
    return Throw(info.Env(), status);
  }
  return Napi::Boolean::New(info.Env(), created);
}

Napi::Value CreateKeyMaterial(const Napi::CallbackInfo &info) {
  const CleanErrorQueue clean;
  Status refusal;
  const auto root_key = RootKeyOf(info[0], &refusal);
  if (root_key == nullptr) {
    return Throw(info.Env(), refusal);
  }
  envelope::Record record;
  const Status status =
      DrawMaterial(*root_key, ArrayOf<envelope::kKeyIdLen>(info[1]),
                   BytesOf(info[2]), NumberOf(info[3]), &record);
  if (!status.ok()) {
    return Throw(info.Env(), status);
  }
  return ToMaterialRecord(info.Env(), record);
}

Napi::Value OpenKeyMaterial(const Napi::CallbackInfo &info) {
  const CleanErrorQueue clean;
  Status refusal;
  const auto root_key = RootKeyOf(info[0], &refusal);
  if (root_key == nullptr) {
    return Throw(info.Env(), refusal);
  }
  auto material = std::make_shared<KeyMaterial>();
  const Status status = envelope::OpenRecord(root_key->span(), BytesOf(info[1]),
                                             BytesOf(info[2]), material.get());
  if (!status.ok()) {
    return Throw(info.Env(), status);
  }
  if (material->kind == envelope::SecretKind::kWrappingKey) {
    return Throw(info.Env(), Status(StatusCode::kInvalidRecord));
  }
  return ToHandle<KeyMaterial>(info.Env(), std::move(material));
}

Napi::Value StateMac(const Napi::CallbackInfo &info) {
  const CleanErrorQueue clean;
  Status refusal;
  const auto root_key = RootKeyOf(info[0], &refusal);
  if (root_key == nullptr) {
    return Throw(info.Env(), refusal);
  }
  std::array<uint8_t, 32> mac;
  const Status status = envelope::StateMac(
      root_key->span(), ArrayOf<envelope::kKeyIdLen>(info[1]), BytesOf(info[2]),
      mac);
  if (!status.ok()) {
    return Throw(info.Env(), status);
  }
  return ToUint8Array(info.Env(), mac);
}

constexpr Export kExports[] = {
    {"openRootKey", OpenRootKey},
    {"createRootKey", CreateRootKey},
    {"createKeyMaterial", CreateKeyMaterial},
    {"openKeyMaterial", OpenKeyMaterial},
    {"stateMac", StateMac},
};

}  // namespace

std::span<const Export> StoreFunctions() { return kExports; }

}  // namespace pairmint::addon
