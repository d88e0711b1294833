#ifndef NATIVE_RSA_KEY_H_
#define NATIVE_RSA_KEY_H_

#include "core/key_pair.h"
#include "core/openssl.h"
#include "core/status.h"

namespace pairmint::rsa {

constexpr unsigned kPublicExponent = 65537;

// What core::OutOfMemory says of most failures here.
constexpr const char *kKeyGeneration = "RSA key generation";

// Key is an RSA key pair in the terms of SP 800-56B rev 2, rsakpg1-crt; p > q.
struct Key {
  core::BignumPtr n, e, d, p, q, dp, dq, qinv;
};

// KeyNumbers views the same numbers as big-endian bytes, with any leading
// zeros; e is kPublicExponent.
struct KeyNumbers {
  core::ByteSpan n, d, p, q, dp, dq, qinv;
};

// Encode `key` as SubjectPublicKeyInfo and PrivateKeyInfo (RFC 8017 A.1). That
// of bytes takes a tenth of the time: OpenSSL hides how long a number is, which
// here is public.
core::Status Encode(const Key &key, core::KeyPair *out);
core::Status Encode(const KeyNumbers &key, core::KeyPair *out);

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_KEY_H_
