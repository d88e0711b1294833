#ifndef NATIVE_KEYS_KEY_PARTS_H_
#define NATIVE_KEYS_KEY_PARTS_H_

#include <array>

#include "core/bytes.h"
#include "core/openssl.h"
#include "core/status.h"
#include "keys/spec.h"

namespace pairmint::keys {

// The numbers of an RSA key in the order of RFC 8017, A.1.2.
enum RsaNumber { kN, kE, kD, kP, kQ, kDp, kDq, kQinv, kNumRsaNumbers };

// KeyParts is a view of an encoded key, cut into what OpenSSL takes. OpenSSL's
// own decoders leave copies of private keys in memory that is freed unwiped,
// and take longer than signing on P-256 does.
struct KeyParts {
  const Spec *spec = nullptr;
  // Of a public key the first two.
  std::array<core::ByteSpan, kNumRsaNumbers> rsa;
  // The number d of a curve, or the seed of Ed25519 or ML-DSA.
  core::ByteSpan secret;
  // ML-DSA's private key as signing uses it; may be all there is.
  core::ByteSpan expanded;
  // The point, or the public key of Ed25519 or ML-DSA. A private key may come
  // without it.
  core::ByteSpan public_key;
  // What version 2 of a PrivateKeyInfo has beside the private key: of any spec,
  // as a SubjectPublicKeyInfo has it.
  core::ByteSpan attached_public_key;

  [[nodiscard]] bool is_private() const {
    return !rsa[kD].empty() || !secret.empty() || !expanded.empty();
  }
};

// Reads a PrivateKeyInfo (RFC 5958, version 1 or 2) of one of our specs; false
// if it is not one. The numbers are not checked.
bool ReadPrivateKey(core::ByteSpan pkcs8, KeyParts *out);

// Reads a SubjectPublicKeyInfo of one of our specs.
bool ReadPublicKey(core::ByteSpan spki, KeyParts *out);

// Makes OpenSSL's key; nullptr if OpenSSL refuses it or has no such keys.
core::PkeyPtr ToPkey(const KeyParts &parts);

// A key that is ready for use.
struct OpenedKey {
  const Spec *spec = nullptr;
  core::PkeyPtr pkey;
};

// Open a key of our own records, or a public key. kInvalidArgument if it is
// not one of ours; kUnsupported if OpenSSL has no keys of this type.
core::Status OpenPrivateKey(core::ByteSpan pkcs8, OpenedKey *out);
core::Status OpenPublicKey(core::ByteSpan spki, OpenedKey *out);

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_KEY_PARTS_H_
