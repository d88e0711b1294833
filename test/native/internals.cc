// The tests' addon: inner functions of the native code exported as they are,
// and all functions of the real addon, so that failures can be planted under
// them. Each internals_<part>.cc exports its part.
#include "internals.h"

#include "addon/exports.h"

#include "internals_util.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  pairmint::addon::ExportFunctions(env, exports);
  pairmint::internals::ExportEc(env, exports);
  pairmint::internals::ExportEdwards(env, exports);
  pairmint::internals::ExportEnvelope(env, exports);
  pairmint::internals::ExportFaults(env, exports);
  pairmint::internals::ExportKeys(env, exports);
  pairmint::internals::ExportLanes(env, exports);
  pairmint::internals::ExportMasks(env, exports);
  pairmint::internals::ExportMont(env, exports);
  pairmint::internals::ExportRsa(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
