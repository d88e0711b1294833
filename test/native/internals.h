#ifndef TEST_NATIVE_INTERNALS_H_
#define TEST_NATIVE_INTERNALS_H_

#include <napi.h>

#include <initializer_list>
#include <utility>

namespace pairmint::internals {

using Function = Napi::Value (*)(const Napi::CallbackInfo &info);

inline void Export(
    Napi::Env env, Napi::Object exports,
    std::initializer_list<std::pair<const char *, Function>> functions) {
  for (const auto &[name, function] : functions) {
    exports.Set(name, Napi::Function::New(env, function, name));
  }
}

void ExportEnvelope(Napi::Env env, Napi::Object exports);
void ExportKeys(Napi::Env env, Napi::Object exports);

}  // namespace pairmint::internals

#endif  // TEST_NATIVE_INTERNALS_H_
