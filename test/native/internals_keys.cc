// keys/ for the tests.
#include <napi.h>

#include "internals.h"
#include "keys/sign.h"

namespace pairmint::internals {
namespace {

Napi::Value SpoilSignatures(const Napi::CallbackInfo &info) {
  keys::SpoilSignatures(info[0].As<Napi::Boolean>());
  return info.Env().Undefined();
}

}  // namespace

void ExportKeys(Napi::Env env, Napi::Object exports) {
  Export(env, exports, {{"spoilSignatures", SpoilSignatures}});
}

}  // namespace pairmint::internals
