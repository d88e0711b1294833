#ifndef NATIVE_ADDON_EXPORTS_H_
#define NATIVE_ADDON_EXPORTS_H_

#include <napi.h>

namespace pairmint::addon {

// Puts every function of functions.h on `exports`.
void ExportFunctions(Napi::Env env, Napi::Object exports);

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_EXPORTS_H_
