#ifndef NATIVE_EC_COMB_H_
#define NATIVE_EC_COMB_H_

#include <stddef.h>
#include <stdint.h>

// The contract of our own multiplication of a curve's generator, which OpenSSL
// checks (verify.h). It knows nothing of OpenSSL and allocates nothing, so that
// a checker of memory accesses can run it alone.

namespace pairmint::ec {

constexpr int kMaxCombLimbs = 9;

// A curve y^2 = x^3 + a x + b of prime order over the integers modulo p, and
// its generator, in little-endian limbs. a is 0 or -3.
struct CombCurve {
  uint64_t p[kMaxCombLimbs];
  uint64_t b[kMaxCombLimbs];
  uint64_t x[kMaxCombLimbs];
  uint64_t y[kMaxCombLimbs];
};

// Comb is a table of functions for curves whose p has exactly num_limbs
// 64-bit limbs. Time and memory access depend on `count`, never on the scalars.
// What the functions work in the caller provides, aligned to 8.
struct Comb {
  size_t num_limbs;
  bool a_is_zero;

  size_t table_size;
  size_t fill_workspace_size;
  size_t workspace_size;  // for each scalar; secrets are left in it

  // Computes the multiples of the generator that `multiply` adds up.
  void (*fill)(const CombCurve &curve, void *workspace, void *table);

  // Writes the affine x and y of scalar * generator for each of `count` scalars
  // of num_limbs limbs, which must be above 0 and below the generator's order.
  void (*multiply)(const void *table, size_t count, const uint64_t *scalars,
                   void *workspace, uint64_t *out);
};

// The comb for such curves; nullptr if this build has none for them.
const Comb *FindComb(size_t num_limbs, bool a_is_zero);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_COMB_H_
