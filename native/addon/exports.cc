#include "addon/exports.h"

#include <openssl/crypto.h>

#include "addon/functions.h"
#include "core/secret_bytes.h"
#include "crew/crew.h"
#include "ec/dispatch.h"
#include "keys/newer.h"
#include "mont/dispatch.h"

namespace pairmint::addon {

Napi::Value Capabilities(const Napi::CallbackInfo &info) {
  const mont::Report report = mont::GetReport();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("kernel", report.chosen);
  out.Set("kernelRefused", report.request_refused ? report.requested : "");
  out.Set("kernelSwitchedOff", report.switched_off);
  Napi::Array kernels = Napi::Array::New(info.Env());
  for (const mont::Report::Row &row : report.kernels) {
    if (row.capable) {
      kernels.Set(kernels.Length(), row.name);
    }
  }
  out.Set("kernels", kernels);
  out.Set("curvesSwitchedOff", ec::SwitchedOff());
  out.Set("openssl", OpenSSL_version(OPENSSL_FULL_VERSION_STRING));
  out.Set("lockedMemory", core::LockedMemory());
  out.Set("mlDsa", keys::HasMlDsa());
  out.Set("ed25519ph", keys::FindEd25519Ph() != nullptr);
  return out;
}

Napi::Value SetNumThreads(const Napi::CallbackInfo &info) {
  crew::SetNumThreads(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

namespace {

struct Export {
  const char *name;
  Napi::Value (*function)(const Napi::CallbackInfo &info);
};

constexpr Export kExports[] = {
    {"capabilities", Capabilities},
    {"setNumThreads", SetNumThreads},
    {"openRootKey", OpenRootKey},
    {"createRootKey", CreateRootKey},
    {"createKeyMaterial", CreateKeyMaterial},
    {"openKeyMaterial", OpenKeyMaterial},
    {"stateMac", StateMac},
    {"viewFile", ViewFile},
    {"generateDataKeyPair", GenerateDataKeyPair},
    {"generateDataKeyPairs", GenerateDataKeyPairs},
    {"generateDataKeyPairsHere", GenerateDataKeyPairsHere},
    {"mintLot", MintLot},
    {"takeFromLots", TakeFromLots},
    {"generateDataKeys", GenerateDataKeys},
    {"generateRandom", GenerateRandom},
    {"encrypt", Encrypt},
    {"decrypt", Decrypt},
    {"reEncrypt", ReEncrypt},
    {"createPrivateKeyMaterial", CreatePrivateKeyMaterial},
    {"sign", Sign},
    {"verify", Verify},
    {"generateMac", GenerateMac},
    {"verifyMac", VerifyMac},
    {"verifyRequest", VerifyRequest},
    {"deriveSharedSecret", DeriveSharedSecret},
    {"encryptWithPublicKey", EncryptWithPublicKey},
    {"decryptWithPrivateKey", DecryptWithPrivateKey},
    {"reEncryptAcross", ReEncryptAcross},
    {"createImportToken", CreateImportToken},
    {"openImportToken", OpenImportToken},
    {"importKeyMaterial", ImportKeyMaterial},
    {"importPlainKeyMaterial", ImportPlainKeyMaterial},
};

}  // namespace

void ExportFunctions(Napi::Env env, Napi::Object exports) {
  for (const auto &[name, function] : kExports) {
    exports.Set(name, Napi::Function::New(env, function, name));
  }
}

}  // namespace pairmint::addon
