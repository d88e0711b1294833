#ifndef NATIVE_CORE_OPENSSL_H_
#define NATIVE_CORE_OPENSSL_H_

#include <openssl/bn.h>
#include <openssl/evp.h>

#include <atomic>
#include <memory>

namespace pairmint::core {

// Frees an OpenSSL object with its own function, so that unique_ptr stays one
// pointer wide.
template <auto kFree>
struct OpenSslDeleter {
  template <typename T>
  void operator()(T *object) const {
    kFree(object);
  }
};

template <typename T, auto kFree>
using OpenSslPtr = std::unique_ptr<T, OpenSslDeleter<kFree>>;

// Numbers are cleared when freed: most of ours are secret, and telling them
// apart is not worth a mistake.
using BignumPtr = OpenSslPtr<BIGNUM, BN_clear_free>;
using BnCtxPtr = OpenSslPtr<BN_CTX, BN_CTX_free>;
using MontCtxPtr = OpenSslPtr<BN_MONT_CTX, BN_MONT_CTX_free>;
using PkeyPtr = OpenSslPtr<EVP_PKEY, EVP_PKEY_free>;
using PkeyCtxPtr = OpenSslPtr<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using CipherCtxPtr = OpenSslPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using CipherPtr = OpenSslPtr<EVP_CIPHER, EVP_CIPHER_free>;
using MdCtxPtr = OpenSslPtr<EVP_MD_CTX, EVP_MD_CTX_free>;

// Kept is an OpenSSL object that is made when it is first needed and stays for
// the process, as a worker may still need it while the process exits. What
// could not be made, for want of memory, is tried again the next time.
template <typename T>
class Kept {
 public:
  constexpr Kept() = default;

  // nullptr if it cannot be made.
  template <typename Make>
  T *Get(Make make, void (*free)(T *object)) {
    T *kept = object_.load(std::memory_order_acquire);
    if (kept != nullptr) {
      return kept;
    }
    T *made = make();
    if (made != nullptr && !object_.compare_exchange_strong(kept, made)) {
      free(made);  // another thread was faster
      return kept;
    }
    return made;
  }

 private:
  std::atomic<T *> object_{nullptr};
};

}  // namespace pairmint::core

#endif  // NATIVE_CORE_OPENSSL_H_
