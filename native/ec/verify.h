#ifndef NATIVE_EC_VERIFY_H_
#define NATIVE_EC_VERIFY_H_

#include <span>

#include "core/bytes.h"
#include "core/openssl.h"
#include "core/status.h"
#include "ec/curve.h"

namespace pairmint::ec {

// Sets `out` to whether every point is on the curve and is the multiple of the
// generator by its private key, as OpenSSL computes it; a wrong one passes with
// probability 2^-128. `points` holds an uncompressed point for each key.
core::Status VerifyPoints(const Curve &curve,
                          std::span<const core::BignumPtr> keys,
                          core::ByteSpan points, bool *out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_VERIFY_H_
