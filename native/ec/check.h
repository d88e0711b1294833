#ifndef NATIVE_EC_CHECK_H_
#define NATIVE_EC_CHECK_H_

#include <memory>
#include <span>

#include "core/bytes.h"
#include "core/openssl.h"
#include "core/secret_bytes.h"
#include "core/status.h"
#include "ec/curve.h"
#include "ec/dispatch.h"

namespace pairmint::ec {

// The checks of what lanes compute, without OpenSSL. docs/security.md says why
// they suffice.

// Sets `out` to whether every point, of kMaxCombined at most, is on the curve
// and the multiple of the generator by its private key: the sum of the points,
// each times a random factor, must be what the other table of the lanes makes
// of the same sum of the keys. A wrong point passes with probability 2^-128.
core::Status CheckPoints(const Curve &curve, const Multiplier &multiplier,
                         std::span<const core::BignumPtr> keys,
                         core::ByteSpan points, bool *out);

// Offset is a secret number m and the point M = m * G, which OpenSSL computed.
// It serves many keys, as nothing that is done with a sum of key and m depends
// on the sum.
struct Offset {
  core::SecretBytes m;  // as long as a private key, big-endian
  core::Bytes point;    // M, uncompressed
};

// Draws one.
core::Status MakeOffset(const Curve &curve, std::unique_ptr<Offset> *out);

// Sets `out` to whether `point`, which the table of four bits made of the key,
// is on the curve, and its sum with M is what the table of five bits makes of
// key + m.
core::Status CheckAlone(const Curve &curve, const Multiplier &multiplier,
                        const BIGNUM *key, const Offset &offset,
                        core::ByteSpan point, bool *out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_CHECK_H_
