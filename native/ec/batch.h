#ifndef NATIVE_EC_BATCH_H_
#define NATIVE_EC_BATCH_H_

#include <span>

#include "core/abort_flag.h"
#include "core/key_pair.h"
#include "core/status.h"
#include "ec/curve.h"

namespace pairmint::ec {

// Mints a pair for every element of `out`; after a failure some of them may be
// written, and none is to be used. On a fast curve OpenSSL computes the public
// keys. On the others, of which there are to be kMinLot pairs at least, our own
// arithmetic does and OpenSSL checks them all at once, which takes less time
// than OpenSSL's arithmetic; if the check fails, ours is switched off for the
// process and OpenSSL's computes them instead.
core::Status MintSeveral(const Curve &curve, const core::AbortFlag &abort,
                         std::span<core::KeyPair> out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_BATCH_H_
