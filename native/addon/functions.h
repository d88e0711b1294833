#ifndef NATIVE_ADDON_FUNCTIONS_H_
#define NATIVE_ADDON_FUNCTIONS_H_

#include <napi.h>

namespace pairmint::addon {

// The functions that JavaScript can call; lib/native/addon.ts has the same names
// and says what they take and give.

Napi::Value Capabilities(const Napi::CallbackInfo &info);
Napi::Value SetNumThreads(const Napi::CallbackInfo &info);

Napi::Value OpenRootKey(const Napi::CallbackInfo &info);
Napi::Value CreateRootKey(const Napi::CallbackInfo &info);
Napi::Value CreateKeyMaterial(const Napi::CallbackInfo &info);
Napi::Value OpenKeyMaterial(const Napi::CallbackInfo &info);
Napi::Value StateMac(const Napi::CallbackInfo &info);
Napi::Value ViewFile(const Napi::CallbackInfo &info);

Napi::Value GenerateDataKeyPair(const Napi::CallbackInfo &info);
Napi::Value GenerateDataKeyPairs(const Napi::CallbackInfo &info);
Napi::Value GenerateDataKeyPairsHere(const Napi::CallbackInfo &info);
Napi::Value MintLot(const Napi::CallbackInfo &info);
Napi::Value TakeFromLots(const Napi::CallbackInfo &info);
Napi::Value GenerateDataKeys(const Napi::CallbackInfo &info);
Napi::Value GenerateRandom(const Napi::CallbackInfo &info);
Napi::Value Encrypt(const Napi::CallbackInfo &info);
Napi::Value Decrypt(const Napi::CallbackInfo &info);
Napi::Value ReEncrypt(const Napi::CallbackInfo &info);

Napi::Value CreatePrivateKeyMaterial(const Napi::CallbackInfo &info);
Napi::Value Sign(const Napi::CallbackInfo &info);
Napi::Value Verify(const Napi::CallbackInfo &info);
Napi::Value GenerateMac(const Napi::CallbackInfo &info);
Napi::Value VerifyMac(const Napi::CallbackInfo &info);
Napi::Value VerifyRequest(const Napi::CallbackInfo &info);
Napi::Value DeriveSharedSecret(const Napi::CallbackInfo &info);
Napi::Value EncryptWithPublicKey(const Napi::CallbackInfo &info);
Napi::Value DecryptWithPrivateKey(const Napi::CallbackInfo &info);
Napi::Value ReEncryptAcross(const Napi::CallbackInfo &info);

Napi::Value CreateImportToken(const Napi::CallbackInfo &info);
Napi::Value OpenImportToken(const Napi::CallbackInfo &info);
Napi::Value ImportKeyMaterial(const Napi::CallbackInfo &info);
Napi::Value ImportPlainKeyMaterial(const Napi::CallbackInfo &info);

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_FUNCTIONS_H_
