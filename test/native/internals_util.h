#ifndef TEST_NATIVE_INTERNALS_UTIL_H_
#define TEST_NATIVE_INTERNALS_UTIL_H_

#include <napi.h>

#include <vector>

#include "core/key_pair.h"
#include "core/openssl.h"
#include "core/status.h"

namespace pairmint::internals {

// Throws the JavaScript error of a status that is not ok: its `code` is the
// name of the status code.
void ThrowStatus(Napi::Env env, const core::Status &status);
// Numbers travel as BigInt.
core::BignumPtr ToBignum(const Napi::Value &value);
Napi::Value FromBignum(Napi::Env env, const BIGNUM *number);

// [{ spki, pkcs8 }]
Napi::Value FromPairs(Napi::Env env, const std::vector<core::KeyPair> &pairs);

Napi::Object ExportEc(Napi::Env env, Napi::Object exports);
Napi::Object ExportEdwards(Napi::Env env, Napi::Object exports);
Napi::Object ExportFaults(Napi::Env env, Napi::Object exports);
Napi::Object ExportLanes(Napi::Env env, Napi::Object exports);
Napi::Object ExportMasks(Napi::Env env, Napi::Object exports);
Napi::Object ExportMont(Napi::Env env, Napi::Object exports);
Napi::Object ExportRsa(Napi::Env env, Napi::Object exports);

}  // namespace pairmint::internals

#endif  // TEST_NATIVE_INTERNALS_UTIL_H_
