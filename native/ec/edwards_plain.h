#ifndef NATIVE_EC_EDWARDS_PLAIN_H_
#define NATIVE_EC_EDWARDS_PLAIN_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>

#include "core/bytes.h"

namespace pairmint::ec {

// edwards25519 in portable arithmetic that shares no code with its lanes, as
// PlainCurve has it for other curves. No branch and no address depends on what
// MakeAffine and Encode get.
class PlainEdwards {
 public:
  // nullptr if this build has none.
  static std::unique_ptr<PlainEdwards> Make();

  PlainEdwards() = default;
  PlainEdwards(const PlainEdwards &) = delete;
  PlainEdwards &operator=(const PlainEdwards &) = delete;
  virtual ~PlainEdwards() = default;

  // As PlainCurve::MakeAffine.
  virtual void MakeAffine(size_t count, const uint64_t *points,
                          uint64_t *workspace, uint64_t *out) const = 0;

  // Whether x and y are below p and the point is on the curve.
  [[nodiscard]] virtual bool IsOnCurve(const uint64_t *affine) const = 0;

  // Writes the sum of two affine points of the curve.
  virtual void Add(const uint64_t *a, const uint64_t *b,
                   uint64_t *out) const = 0;

  // Whether two points are the same, and no Z is 0.
  [[nodiscard]] virtual bool AreSame(const uint64_t *a,
                                     const uint64_t *b) const = 0;

  // The affine point of a public key (RFC 8032, 5.1.3); false if there is none.
  virtual bool Decode(core::ByteSpan key, uint64_t *affine) const = 0;
};

// Writes the 32 bytes of a public key (RFC 8032, 5.1.2).
void EncodeEdwards(const uint64_t *affine, core::MutableByteSpan out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_EDWARDS_PLAIN_H_
