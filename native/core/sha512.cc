// Below EVP, as sha256.cc.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "core/sha512.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace pairmint::core {

bool Sha512(ByteSpan message, Sha512Digest *out) {
  SHA512_CTX state;
  const bool good =
      SHA512_Init(&state) == 1 &&
      SHA512_Update(&state, message.data(), message.size()) == 1 &&
      SHA512_Final(out->data(), &state) == 1;
  OPENSSL_cleanse(&state, sizeof(state));
  return good;
}

}  // namespace pairmint::core
