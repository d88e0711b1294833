#ifndef NATIVE_EC_COMPARE_H_
#define NATIVE_EC_COMPARE_H_

#include "ec/curve.h"
#include "ec/multiply.h"

namespace pairmint::ec {

enum class Verdict { kUnknown, kGood, kWrong };

// Compares what `multiplier` computes for scalars that look up every point of
// its tables with OpenSSL's points. kUnknown if OpenSSL failed, for which a
// lack of memory is one reason: the comparison is repeated the next time.
Verdict CompareWithOpenSsl(const Curve &curve, const Multiplier &multiplier);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_COMPARE_H_
