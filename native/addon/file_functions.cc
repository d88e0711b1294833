// A view of a file's beginning that shows what other processes write there.
#include <cstdint>
#include <string>

#include "addon/exports.h"
#include "addon/values.h"

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace pairmint::addon {
namespace {

#if defined(_WIN32)

void *Map(const std::string & /*path*/, size_t /*len*/) { return nullptr; }
void Unmap(napi_env /*env*/, void * /*start*/, void * /*len*/) {}

#else

// nullptr if it cannot be mapped.
void *Map(const std::string &path, size_t len) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return nullptr;
  }
  void *start = mmap(nullptr, len, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  return start == MAP_FAILED ? nullptr : start;
}

void Unmap(napi_env /*env*/, void *start, void *len) {
  munmap(start, reinterpret_cast<uintptr_t>(len));
}

#endif

Napi::Value ViewFile(const Napi::CallbackInfo &info) {
  const std::string path = info[0].As<Napi::String>();
  const size_t len = NumberOf(info[1]);
  void *start = Map(path, len);
  napi_value view = nullptr;
  if (start == nullptr) {
    return info.Env().Undefined();
  }
  // An embedder may allow no memory of others in buffers.
  if (napi_create_external_arraybuffer(
          info.Env(), start, len, Unmap,
          reinterpret_cast<void *>(static_cast<uintptr_t>(len)),
          &view) != napi_ok) {
    Unmap(info.Env(), start,
          reinterpret_cast<void *>(static_cast<uintptr_t>(len)));
    return info.Env().Undefined();
  }
  return {info.Env(), view};
}

constexpr Export kExports[] = {
    {"viewFile", ViewFile},
};

}  // namespace

std::span<const Export> FileFunctions() { return kExports; }

}  // namespace pairmint::addon
