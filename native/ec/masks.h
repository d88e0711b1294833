#ifndef NATIVE_EC_MASKS_H_
#define NATIVE_EC_MASKS_H_

#include <optional>

#include "core/abort_flag.h"
#include "core/status.h"
#include "ec/curve.h"
#include "ec/dispatch.h"
#include "ec/verify.h"

#if defined(PAIRMINT_TESTING)
#include <vector>
#endif

namespace pairmint::ec {

// Takes a mask of the curve out of the stock, for the caller alone; nothing if
// the stock is empty. The stock belongs to the process, outlives environments
// and may be used from any thread.
std::optional<Mask> TakeMask(const Curve &curve);

// Makes a lot of masks as lots of keys are made (lot.h), gives one in `out` and
// puts the others into the stock. `out` stays empty if OpenSSL refuses the
// lot; then, and after a failure, nothing is put there.
core::Status MakeMasks(const Curve &curve, const Multiplier &multiplier,
                       const core::AbortFlag &abort, std::optional<Mask> *out);

#if defined(PAIRMINT_TESTING)
// The stock of the curve, for one thread at a time.
std::vector<Mask> &StockForTest(const Curve &curve);
#endif

}  // namespace pairmint::ec

#endif  // NATIVE_EC_MASKS_H_
