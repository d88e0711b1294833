#ifndef NATIVE_EC_EDWARDS_H_
#define NATIVE_EC_EDWARDS_H_

#include <memory>

#include "core/bytes.h"
#include "core/status.h"
#include "ec/edwards_keys.h"

namespace pairmint::ec {

// How the curve of Ed25519 is called.
constexpr const char *kEd25519 = "Ed25519";

// The name of what multiplies the generator: "avx512ifma" or "openssl", which
// the processor and PAIRMINT_KERNEL decide as for the other curves
// (dispatch.h).
const char *KernelOfEd25519();
// Whether that is not OpenSSL.
bool IsEd25519Ours();
// Whether PublicKeysByLanes has nothing to set up any more, so that it takes
// microseconds. Never waits.
bool IsEd25519Settled();

// Writes the public keys of private keys, kMaxEdwardsLot at most, as lanes
// compute them, and sets `verified` to whether a second computation finds them
// right, and OpenSSL if it is asked. It is false, too, if OpenSSL must compute
// them; if the keys are wrong, our code is switched off. The first call fills
// the tables for good and has OpenSSL compute every point in them.
core::Status PublicKeysByLanes(core::ByteSpan seeds, core::MutableByteSpan out,
                               bool *verified);

#if defined(PAIRMINT_TESTING)
// Makes `lanes` (which must live on) those of the curve, with fresh tables and
// not switched off; `compared`: skips the comparison before first use, and what
// OpenSSL is asked about the first work. nullptr: as at the start of the
// process.
void UseEdwardsLanesForTest(const EdwardsLanes *lanes, bool compared);
// nullptr if OpenSSL must compute.
std::shared_ptr<const EdwardsEngine> EdwardsEngineForTest();
#endif

}  // namespace pairmint::ec

#endif  // NATIVE_EC_EDWARDS_H_
