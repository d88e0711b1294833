#ifndef NATIVE_EC_PLAIN_H_
#define NATIVE_EC_PLAIN_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>

#include "ec/comb.h"

namespace pairmint::ec {

// PlainCurve is what is needed beside lanes, in portable arithmetic that shares
// no code with them: it makes their points affine and compares what they say.
// Points are X, Y and Z, and affine ones x and y, in words as the contract of
// lanes has them. No branch and no address depends on what MakeAffine gets.
class PlainCurve {
 public:
  // nullptr if this build has none for such curves.
  static std::unique_ptr<PlainCurve> Make(size_t num_limbs, bool a_is_zero,
                                          const CombCurve &curve);

  PlainCurve() = default;
  PlainCurve(const PlainCurve &) = delete;
  PlainCurve &operator=(const PlainCurve &) = delete;
  virtual ~PlainCurve() = default;

  // Writes the affine points of `count` points, none of which is infinity. They
  // share one inversion. `workspace` has num_limbs words for each; secrets are
  // left in it.
  virtual void MakeAffine(size_t count, const uint64_t *points,
                          uint64_t *workspace, uint64_t *out) const = 0;

  // Whether x and y are below p and the point is on the curve.
  [[nodiscard]] virtual bool IsOnCurve(const uint64_t *affine) const = 0;

  // Writes the sum of two affine points.
  virtual void Add(const uint64_t *a, const uint64_t *b,
                   uint64_t *out) const = 0;

  // Whether two points are the same and not infinity.
  [[nodiscard]] virtual bool AreSame(const uint64_t *a,
                                     const uint64_t *b) const = 0;
};

}  // namespace pairmint::ec

#endif  // NATIVE_EC_PLAIN_H_
