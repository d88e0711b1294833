#include <napi.h>

#include "addon/exports.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  pairmint::addon::ExportFunctions(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
