#include "addon/exports.h"

namespace pairmint::addon {

void ExportFunctions(Napi::Env env, Napi::Object exports) {
  for (const auto &rows :
       {ProcessFunctions(), StoreFunctions(), FileFunctions(), PairFunctions(),
        DataFunctions(), AsymmetricFunctions(), KeyFunctions()}) {
    for (const auto &[name, function] : rows) {
      exports.Set(name, Napi::Function::New(env, function, name));
    }
  }
}

}  // namespace pairmint::addon
