#ifndef NATIVE_CORE_KEY_PAIR_H_
#define NATIVE_CORE_KEY_PAIR_H_

#include "core/bytes.h"
#include "core/secret_bytes.h"

namespace pairmint::core {

// KeyPair is a minted pair in the encodings that KMS documents.
struct KeyPair {
  Bytes public_key;         // SubjectPublicKeyInfo, DER (RFC 5280)
  SecretBytes private_key;  // PrivateKeyInfo, DER (PKCS#8, RFC 5958)
};

}  // namespace pairmint::core

#endif  // NATIVE_CORE_KEY_PAIR_H_
