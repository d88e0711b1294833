#ifndef NATIVE_EC_LANES_H_
#define NATIVE_EC_LANES_H_

#include <stddef.h>
#include <stdint.h>

#include "ec/comb.h"

// The contract of curve arithmetic on eight lanes: multiples of the generator
// and sums of multiples of points, as points (X/Z, Y/Z). It knows nothing of
// OpenSSL and allocates nothing; mont/dispatch.h says whether the processor can
// run it.

namespace pairmint::ec {

constexpr size_t kLanesWide = 8;
// Points that `combine` takes at most: two for each lane.
constexpr size_t kMaxCombined = 2 * kLanesWide;
// Words of a factor of `combine`.
constexpr size_t kFactorWords = 2;

// The two tables of a curve share no entry but the generator: their windows
// have five and four bits, and each is worked out from the generator by itself.
enum class LanesTable { kFiveBits, kFourBits };

// Lanes is a table of functions for curves whose p has exactly num_limbs 64-bit
// limbs. Time and memory access depend on counts, never on scalars or points.
//
// Scalars are given doubled, in num_limbs + 2 words each: the windows overlap
// by a bit, and the lowest one begins below the scalar. Points come out as X, Y
// and Z of num_limbs words each, at most p. What the functions work in the
// caller provides, aligned to 64; secrets are left in it.
struct Lanes {
  size_t num_limbs;
  bool a_is_zero;

  size_t table_size;
  size_t fill_workspace_size;
  size_t workspace_size;          // of the multiplications
  size_t combine_workspace_size;  // of `combine`

  // Fills both tables.
  void (*fill)(const CombCurve &curve, void *workspace, void *table);

  // Writes scalar * generator for each of eight scalars, a lane for each, by
  // the table of five bits. A scalar of 0 gives Z = 0.
  void (*multiply_each)(const void *table, const uint64_t *scalars,
                        void *workspace, uint64_t *out);

  // Writes scalar * generator by the table that is named: every lane takes an
  // eighth of the windows.
  void (*multiply_split)(const void *table, LanesTable which,
                         const uint64_t *scalar, void *workspace,
                         uint64_t *out);

  // Writes the sum of factors[i] * points[i] for `count` points, which are x
  // and y, below p, of num_limbs words each.
  void (*combine)(const void *table, size_t count, const uint64_t *factors,
                  const uint64_t *points, void *workspace, uint64_t *out);
};

// The lanes for such curves; nullptr if this build has none for them.
const Lanes *FindLanes(size_t num_limbs, bool a_is_zero);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_LANES_H_
