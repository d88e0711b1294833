#ifndef NATIVE_EC_LONE_H_
#define NATIVE_EC_LONE_H_

#include "core/abort_flag.h"
#include "core/key_pair.h"
#include "core/status.h"
#include "ec/curve.h"

namespace pairmint::ec {

// Mints a pair that is wanted by itself. From the 33rd on, on a curve that is
// ours (dispatch.h), our own arithmetic computes the public key, which is
// checked by lanes under an offset (check.h) or, for a comb, by OpenSSL under a
// mask (verify.h); if the check fails, our arithmetic is switched off for the
// process and OpenSSL's computes the key instead. kAborted only until the key
// is multiplied.
core::Status MintAlone(const Curve &curve, const core::AbortFlag &abort,
                       core::KeyPair *out);

// Whether lanes will compute the next lone pair, which then takes microseconds.
bool IsQuick(const Curve &curve);

#if defined(PAIRMINT_TESTING)
// Has masks used from the next pair on; `use` false: as at the start of the
// process.
void UseMasksForTest(const Curve &curve, bool use);
#endif

}  // namespace pairmint::ec

#endif  // NATIVE_EC_LONE_H_
