#include "rsa/keygen.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

namespace pairmint::rsa {
namespace {

using core::BignumPtr;
using core::PkeyCtxPtr;
using core::PkeyPtr;
using core::Status;
using core::StatusCode;

Status Failed() {
  return Status(StatusCode::kInternal, "RSA key generation failed");
}

// OpenSSL asks this every few candidates; 0 stops it.
int GoOn(EVP_PKEY_CTX *ctx) {
  const auto *abort =
      static_cast<const core::AbortFlag *>(EVP_PKEY_CTX_get_app_data(ctx));
  return abort->raised() ? 0 : 1;
}

bool Read(const EVP_PKEY *pkey, const char *name, BignumPtr *out) {
  BIGNUM *number = nullptr;
  if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1) {
    return false;
  }
  out->reset(number);
  return true;
}

}  // namespace

Status Generate(int modulus_bits, const core::AbortFlag &abort, Key *out) {
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  if (ctx == nullptr || EVP_PKEY_keygen_init(ctx.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_keygen_bits(ctx.get(), modulus_bits) != 1) {
    return Failed();
  }
  EVP_PKEY_CTX_set_app_data(ctx.get(), const_cast<core::AbortFlag *>(&abort));
  EVP_PKEY_CTX_set_cb(ctx.get(), GoOn);
  EVP_PKEY *generated = nullptr;
  if (EVP_PKEY_generate(ctx.get(), &generated) != 1) {
    return abort.raised() ? Status(StatusCode::kAborted) : Failed();
  }
  const PkeyPtr pkey(generated);
  Key key;
  if (!Read(pkey.get(), OSSL_PKEY_PARAM_RSA_N, &key.n) ||
      !Read(pkey.get(), OSSL_PKEY_PARAM_RSA_E, &key.e) ||
      !Read(pkey.get(), OSSL_PKEY_PARAM_RSA_D, &key.d) ||
      !Read(pkey.get(), OSSL_PKEY_PARAM_RSA_FACTOR1, &key.p) ||
      !Read(pkey.get(), OSSL_PKEY_PARAM_RSA_FACTOR2, &key.q) ||
      !Read(pkey.get(), OSSL_PKEY_PARAM_RSA_EXPONENT1, &key.dp) ||
      !Read(pkey.get(), OSSL_PKEY_PARAM_RSA_EXPONENT2, &key.dq) ||
      !Read(pkey.get(), OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &key.qinv)) {
    return Failed();
  }
  *out = std::move(key);
  return Status::Ok();
}

}  // namespace pairmint::rsa
