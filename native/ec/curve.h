#ifndef NATIVE_EC_CURVE_H_
#define NATIVE_EC_CURVE_H_

#include <openssl/ec.h>

#include <span>

#include "core/key_pair.h"
#include "core/openssl.h"
#include "core/status.h"

namespace pairmint::ec {

// What core::Failed says of most failures here.
constexpr const char *kKeyGeneration = "EC key generation";

using PointPtr = core::OpenSslPtr<EC_POINT, EC_POINT_clear_free>;

// Curve is one row of the table of short Weierstrass curves.
struct Curve {
  const char *name;
  int nid;
  // Bytes of a private key and of each coordinate (SEC 1, 2.3.5).
  size_t field_len;
  // The curve's OBJECT IDENTIFIER, tag and length included.
  core::ByteSpan oid;
  // d is in [1, n - 1 - order_margin]. SM2 excludes n - 1, whose signatures
  // need the inverse of 1 + d = 0 (GB/T 32918.1, 6.1).
  unsigned order_margin;
};

// All curves.
std::span<const Curve> Curves();

// The curve called `name` ("P-256", "P-384", "P-521", "secp256k1", "SM2"), or
// nullptr.
const Curve *FindCurve(const char *name);

// OpenSSL's group of the curve, which lives as long as the process; nullptr
// if this OpenSSL does not know it.
const EC_GROUP *GroupOf(const Curve &curve);

// Bytes of an uncompressed point (SEC 1, 2.3.3).
inline size_t PointLen(const Curve &curve) { return 1 + 2 * curve.field_len; }

// Draws a private key by rejection (FIPS 186-5 A.2.2).
core::Status DrawPrivateKey(const Curve &curve, core::BignumPtr *out);

// The point d * G, with OpenSSL's constant-time multiplication.
core::Status Multiple(const Curve &curve, const BIGNUM *d, PointPtr *out);
// The same, uncompressed.
core::Status PublicPoint(const Curve &curve, const BIGNUM *d,
                         core::MutableByteSpan out);

// A pair whose public key OpenSSL computes.
core::Status Mint(const Curve &curve, core::KeyPair *out);

// Encodes the pair of the private key `d`: SubjectPublicKeyInfo with the named
// curve and the uncompressed point (RFC 5480), and PrivateKeyInfo around an
// ECPrivateKey (RFC 5915) without parameters and with the public key.
core::Status Encode(const Curve &curve, const BIGNUM *d, core::KeyPair *out);
// The same with a known public key, which is not compared with `d`.
core::Status EncodeWithPoint(const Curve &curve, const BIGNUM *d,
                             core::ByteSpan point, core::KeyPair *out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_CURVE_H_
