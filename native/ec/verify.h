#ifndef NATIVE_EC_VERIFY_H_
#define NATIVE_EC_VERIFY_H_

#include <span>
#include <vector>

#include "core/bytes.h"
#include "core/openssl.h"
#include "core/secret_bytes.h"
#include "core/status.h"
#include "ec/curve.h"

namespace pairmint::ec {

// Draws a factor of 128 bits for each of `count` points. A lot with a wrong
// point passes a comparison of sums with these factors with probability 2^-128,
// however the point is wrong: at most one of the 2^128 factors of that point
// fits.
core::Status DrawFactors(size_t count, std::vector<core::BignumPtr> *out);

// sum(factors[i] * keys[i]) mod n, in constant time; nullptr on failure.
core::BignumPtr CombinedKey(const EC_GROUP *group,
                            std::span<const core::BignumPtr> keys,
                            const std::vector<core::BignumPtr> &factors,
                            BN_CTX *ctx);

// Sets `out` to whether every point is on the curve and is the multiple of the
// generator by its private key, as OpenSSL computes it; a wrong one passes with
// probability 2^-128. `points` holds an uncompressed point for each key.
core::Status VerifyPoints(const Curve &curve,
                          std::span<const core::BignumPtr> keys,
                          core::ByteSpan points, bool *out);

// Sets `same` to whether `point`, uncompressed, is what OpenSSL multiplies the
// generator to: the proof that a point which was refused is wrong.
core::Status ComparePoint(const Curve &curve, const BIGNUM *key,
                          core::ByteSpan point, bool *same);

// Mask hides one private key from the clock. r is drawn as private keys are, R
// = r * G has passed VerifyPoints, and neither is used again.
struct Mask {
  core::SecretBytes r;  // as long as a private key, big-endian
  core::Bytes point;    // R, uncompressed
};

// key + r mod n, in constant time; nullptr on failure. Under an r that is
// random and used once it is as random as r, and says nothing of the key.
core::BignumPtr MaskedKey(const EC_GROUP *group, const BIGNUM *key,
                          const BIGNUM *r);

// Sets `out` to whether `point`, uncompressed, is the multiple of the generator
// by the key.
//
// The sum s of the key and r may be public, so that OpenSSL multiplies by it in
// variable time, which takes a fraction of what its constant-time ladder does:
// s * G - R must be the point. As (s - r) * G is the key's, a wrong point
// passes only where R is wrong by as much in the other direction, and a wrong R
// passed VerifyPoints with probability 2^-128.
core::Status VerifyByMask(const Curve &curve, const BIGNUM *key,
                          const Mask &mask, core::ByteSpan point, bool *out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_VERIFY_H_
