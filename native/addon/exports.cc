#include "addon/exports.h"

#include <openssl/crypto.h>

#include "addon/functions.h"
#include "core/secret_bytes.h"

namespace pairmint::addon {

Napi::Value Capabilities(const Napi::CallbackInfo &info) {
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("kernel", "openssl");
  out.Set("openssl", OpenSSL_version(OPENSSL_FULL_VERSION_STRING));
  out.Set("lockedMemory", core::LockedMemory());
  return out;
}

namespace {

struct Export {
  const char *name;
  Napi::Value (*function)(const Napi::CallbackInfo &info);
};

constexpr Export kExports[] = {
    {"capabilities", Capabilities},
    {"openRootKey", OpenRootKey},
    {"createRootKey", CreateRootKey},
    {"createKeyMaterial", CreateKeyMaterial},
    {"openKeyMaterial", OpenKeyMaterial},
    {"stateMac", StateMac},
    {"generateDataKeyPair", GenerateDataKeyPair},
    {"generateDataKey", GenerateDataKey},
    {"generateRandom", GenerateRandom},
    {"encrypt", Encrypt},
    {"decrypt", Decrypt},
    {"reEncrypt", ReEncrypt},
};

}  // namespace

void ExportFunctions(Napi::Env env, Napi::Object exports) {
  for (const auto &[name, function] : kExports) {
    exports.Set(name, Napi::Function::New(env, function, name));
  }
}

}  // namespace pairmint::addon
