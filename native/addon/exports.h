#ifndef NATIVE_ADDON_EXPORTS_H_
#define NATIVE_ADDON_EXPORTS_H_

#include <napi.h>

#include <span>

namespace pairmint::addon {

// A function that JavaScript can call. lib/native/addon.ts has the same name
// and says what it takes and gives.
struct Export {
  const char *name;
  Napi::Value (*function)(const Napi::CallbackInfo &info);
};

// The rows of each file of functions.
std::span<const Export> ProcessFunctions();
std::span<const Export> StoreFunctions();
std::span<const Export> FileFunctions();
std::span<const Export> PairFunctions();
std::span<const Export> DataFunctions();
std::span<const Export> AsymmetricFunctions();
std::span<const Export> KeyFunctions();

// Puts all of them on `exports`.
void ExportFunctions(Napi::Env env, Napi::Object exports);

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_EXPORTS_H_
