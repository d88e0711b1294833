#include "keys/newer.h"

#include <openssl/err.h>
#include <uv.h>

namespace pairmint::keys {
namespace {

// A failed fetch is an answer and not an error. Never freed, as a worker may
// still need it while the process exits.
EVP_SIGNATURE *Fetch(const char *name) {
  ERR_set_mark();
  EVP_SIGNATURE *algorithm = EVP_SIGNATURE_fetch(nullptr, name, nullptr);
  ERR_pop_to_mark();
  return algorithm;
}

// libuv's, because glibc's own dlsym would raise the floor to 2.34. On Windows
// it opens no library without a name, and nothing newer is found.
template <typename Function>
Function FindFunction(uv_lib_t *process, const char *name) {
  void *function = nullptr;
  return uv_dlsym(process, name, &function) == 0
             ? reinterpret_cast<Function>(function)
             : nullptr;
}

Ed25519Ph LookUpEd25519Ph() {
  Ed25519Ph found;
  uv_lib_t process;
  if (uv_dlopen(nullptr, &process) == 0) {
    found.algorithm = Fetch("ED25519ph");
    found.sign_init =
        FindFunction<Ed25519Ph::Init>(&process, "EVP_PKEY_sign_init_ex2");
    found.verify_init =
        FindFunction<Ed25519Ph::Init>(&process, "EVP_PKEY_verify_init_ex2");
  }
  uv_dlclose(&process);
  return found;
}

}  // namespace

bool HasMlDsa() {
  static const bool kHas = Fetch("ML-DSA-44") != nullptr;
  return kHas;
}

const Ed25519Ph *FindEd25519Ph() {
  static const Ed25519Ph kFound = LookUpEd25519Ph();
  const bool complete = kFound.algorithm != nullptr &&
                        kFound.sign_init != nullptr &&
                        kFound.verify_init != nullptr;
  return complete ? &kFound : nullptr;
}

}  // namespace pairmint::keys
