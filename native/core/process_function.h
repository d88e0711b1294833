#ifndef NATIVE_CORE_PROCESS_FUNCTION_H_
#define NATIVE_CORE_PROCESS_FUNCTION_H_

#include <uv.h>

namespace pairmint::core {

// A function of the OpenSSL inside Node, by its name; nullptr if it has none
// such. For functions that only some versions have.
//
// libuv looks it up, because glibc's own dlsym would raise the floor to 2.34.
// On Windows it opens no library without a name, and nothing is found.
template <typename Function>
Function FindProcessFunction(const char *name) {
  uv_lib_t process;
  void *function = nullptr;
  const bool found = uv_dlopen(nullptr, &process) == 0 &&
                     uv_dlsym(&process, name, &function) == 0;
  uv_dlclose(&process);
  return found ? reinterpret_cast<Function>(function) : nullptr;
}

}  // namespace pairmint::core

#endif  // NATIVE_CORE_PROCESS_FUNCTION_H_
