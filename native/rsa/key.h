#ifndef NATIVE_RSA_KEY_H_
#define NATIVE_RSA_KEY_H_

#include "core/key_pair.h"
#include "core/openssl.h"
#include "core/status.h"

namespace pairmint::rsa {

constexpr unsigned kPublicExponent = 65537;

// Key is an RSA key pair in the terms of SP 800-56B rev 2, rsakpg1-crt; p > q.
struct Key {
  core::BignumPtr n, e, d, p, q, dp, dq, qinv;
};

// Encodes `key` as SubjectPublicKeyInfo and PrivateKeyInfo (RFC 8017 A.1).
core::Status Encode(const Key &key, core::KeyPair *out);

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_KEY_H_
