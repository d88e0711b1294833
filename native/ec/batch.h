#ifndef NATIVE_EC_BATCH_H_
#define NATIVE_EC_BATCH_H_

#include <span>

#include "core/abort_flag.h"
#include "core/key_pair.h"
#include "core/status.h"
#include "ec/curve.h"

namespace pairmint::ec {

// Mints a pair for every element of `out`. After a failure some may be written,
// but must not be used. On a curve that is ours (dispatch.h), which needs at
// least kMinLot pairs, our own arithmetic computes the public keys, and all of
// them are checked at once (lot.h). On the other curves OpenSSL computes them.
// If the check fails, our arithmetic is switched off for the process and
// OpenSSL computes the keys.
core::Status MintSeveral(const Curve &curve, const core::AbortFlag &abort,
                         std::span<core::KeyPair> out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_BATCH_H_
