#ifndef NATIVE_KEYS_NEWER_H_
#define NATIVE_KEYS_NEWER_H_

#include <openssl/evp.h>

namespace pairmint::keys {

// What the OpenSSL inside Node may have beyond 3.0, whose headers we compile
// with: looked up by name at run time.

// ML-DSA (FIPS 204), since OpenSSL 3.5.
bool HasMlDsa();

// Ed25519ph (RFC 8032, 5.1) of a digest that the caller made, since 3.4.
struct Ed25519Ph {
  using Init = int (*)(EVP_PKEY_CTX *ctx, EVP_SIGNATURE *algorithm,
                       const OSSL_PARAM *params);

  EVP_SIGNATURE *algorithm = nullptr;
  Init sign_init = nullptr;
  Init verify_init = nullptr;
};

// nullptr if this OpenSSL has none.
const Ed25519Ph *FindEd25519Ph();

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_NEWER_H_
