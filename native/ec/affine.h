#ifndef NATIVE_EC_AFFINE_H_
#define NATIVE_EC_AFFINE_H_

#include <span>

#include "core/bytes.h"
#include "core/status.h"
#include "ec/curve.h"

namespace pairmint::ec {

// Writes the points, none of which is at infinity, uncompressed into `out`,
// which has PointLen(curve) for each. They share one inversion: alone, a
// point's takes a third of what minting on P-256 takes.
core::Status EncodePoints(const Curve &curve, std::span<const PointPtr> points,
                          core::MutableByteSpan out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_AFFINE_H_
