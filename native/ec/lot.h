#ifndef NATIVE_EC_LOT_H_
#define NATIVE_EC_LOT_H_

#include <span>

#include "core/abort_flag.h"
#include "core/bytes.h"
#include "core/openssl.h"
#include "core/status.h"
#include "ec/curve.h"
#include "ec/dispatch.h"

namespace pairmint::ec {

// The check takes one multiplication by OpenSSL for all points of a lot. With
// more of them it would take longer than an abandoned request may.
constexpr size_t kMaxLot = 16;

// With two, a mask for each takes less time; with three it is much the same,
// and a process that mints a few pairs needs no tables.
constexpr size_t kMinLot = 4;

core::Status CheckAbort(const core::AbortFlag &abort);

// Of what lanes compute, OpenSSL has its word on the first lot of the process
// and on one in so many afterwards. Of P-521 a lot takes it as long as seven of
// ours: with so many it adds a thirtieth.
constexpr uint32_t kLotsOfAnAudit = 256;

// Writes the points of at most kMaxLot keys, computed by the multiplier, and
// sets `verified` to whether a second computation finds them right: by lanes
// (check.h), or for a comb by OpenSSL (verify.h). If they are wrong, our code
// is switched off.
core::Status MultiplyVerified(const Curve &curve, const Multiplier &multiplier,
                              const core::AbortFlag &abort,
                              std::span<const core::BignumPtr> keys,
                              core::MutableByteSpan out, bool *verified);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_LOT_H_
