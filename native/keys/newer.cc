#include "keys/newer.h"

#include <openssl/err.h>

#include <atomic>

#include "core/openssl.h"
#include "core/process_function.h"

namespace pairmint::keys {
namespace {

// An algorithm that newer versions of OpenSSL have. Its absence is remembered
// where OpenSSL says so, but not where memory ran out.
class Algorithm {
 public:
  constexpr explicit Algorithm(const char *name) : name_(name) {}

  // nullptr if it is absent.
  EVP_SIGNATURE *Find() {
    return absent_.load(std::memory_order_relaxed)
               ? nullptr
               : kept_.Get([this] { return Fetch(); }, EVP_SIGNATURE_free);
  }

 private:
  // A failed fetch is an answer and not an error.
  EVP_SIGNATURE *Fetch() {
    ERR_set_mark();
    EVP_SIGNATURE *found = EVP_SIGNATURE_fetch(nullptr, name_, nullptr);
    if (found == nullptr &&
        ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_UNSUPPORTED) {
      absent_.store(true, std::memory_order_relaxed);
    }
    ERR_pop_to_mark();
    return found;
  }

  const char *name_;
  core::Kept<EVP_SIGNATURE> kept_;
  std::atomic<bool> absent_{false};
};

Ed25519Ph WithFunctions(EVP_SIGNATURE *algorithm) {
  Ed25519Ph found;
  found.algorithm = algorithm;
  found.sign_init =
      core::FindProcessFunction<Ed25519Ph::Init>("EVP_PKEY_sign_init_ex2");
  found.verify_init =
      core::FindProcessFunction<Ed25519Ph::Init>("EVP_PKEY_verify_init_ex2");
  return found;
}

}  // namespace

bool HasMlDsa() {
  static Algorithm algorithm("ML-DSA-44");
  return algorithm.Find() != nullptr;
}

const Ed25519Ph *FindEd25519Ph() {
  static Algorithm algorithm("ED25519ph");
  EVP_SIGNATURE *const found = algorithm.Find();
  if (found == nullptr) {
    return nullptr;
  }
  static const Ed25519Ph kFound = WithFunctions(found);
  const bool complete =
      kFound.sign_init != nullptr && kFound.verify_init != nullptr;
  return complete ? &kFound : nullptr;
}

}  // namespace pairmint::keys
