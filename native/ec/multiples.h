#ifndef NATIVE_EC_MULTIPLES_H_
#define NATIVE_EC_MULTIPLES_H_

#include "ec/curve.h"

namespace pairmint::ec {

// GroupWithMultiples returns a group like GroupOf(curve) that holds multiples
// of its generator, which make OpenSSL's variable-time multiplication four
// times as quick; without them if this OpenSSL computes none, nullptr if
// it has no such group. The first call for a curve takes some milliseconds.
const EC_GROUP *GroupWithMultiples(const Curve &curve);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_MULTIPLES_H_
