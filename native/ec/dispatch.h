#ifndef NATIVE_EC_DISPATCH_H_
#define NATIVE_EC_DISPATCH_H_

#include <span>
#include <string>

#include "core/bytes.h"
#include "core/status.h"
#include "ec/comb.h"
#include "ec/curve.h"

namespace pairmint::ec {

// A comb and the table that it computes with.
struct Multiplier {
  const Comb *comb = nullptr;
  const void *table = nullptr;
};

// Whether a comb of ours multiplies the curve's generator, and not OpenSSL:
// there is a comb, OpenSSL has no code made for the curve, and PAIRMINT_KERNEL
// is not `openssl`. Nothing is timed: on a busy machine a process would choose
// the slow way for good.
bool HasComb(const Curve &curve);

// MultiplierFor returns that comb, or nothing if OpenSSL must multiply. The
// first call for a curve fills the table for good and tests the comb: all combs
// are switched off if its points differ from OpenSSL's.
Multiplier MultiplierFor(const Curve &curve);

// The points of `keys` by the multiplier, uncompressed and unchecked. On
// failure nothing is known of `out`, which has PointLen(curve) for each key.
core::Status MultiplyUnchecked(const Curve &curve, const Multiplier &multiplier,
                               std::span<const core::BignumPtr> keys,
                               core::MutableByteSpan out);

// Switches every comb off for the process: what one said was wrong.
void SwitchOff(const Curve &curve, const std::string &reason);
// Why that happened; empty if it did not.
std::string SwitchedOff();

#if defined(PAIRMINT_TESTING)
// Makes `comb` (which must live on) that of the curve, with a fresh table and
// not switched off; `compared`: skips the comparison before first use. nullptr
// chooses as at the start of the process.
void ChooseForTest(const Curve &curve, const Comb *comb, bool compared);
#endif

}  // namespace pairmint::ec

#endif  // NATIVE_EC_DISPATCH_H_
