// The tests' addon: inner functions of the native code, exported as they are.
// Each folder of native/ has its own internals_<folder>.cc with an Export
// function that is called here.
#include <napi.h>

#include "internals_util.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  using namespace pairmint::internals;  // NOLINT
  ExportMont(env, exports);
  ExportRsa(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
