#ifndef NATIVE_EC_EDWARDS_LANES_H_
#define NATIVE_EC_EDWARDS_LANES_H_

#include <stddef.h>
#include <stdint.h>

#include "ec/lanes.h"

// The contract of edwards25519 (RFC 8032, 5.1) on eight lanes, as lanes.h has
// it for other curves. The curve is -x^2 + y^2 = 1 + d x^2 y^2 modulo 2^255 -
// 19, and its points come out as (X/Z, Y/Z).

namespace pairmint::ec {

constexpr size_t kEdwardsWords = 4;
// A scalar is below 2^256 and given doubled.
constexpr size_t kEdwardsScalarWords = kEdwardsWords + 2;
constexpr size_t kEdwardsPointWords = 3 * kEdwardsWords;

// Time and memory access depend on neither scalars nor points. What the
// functions work in the caller provides, aligned to 64; secrets are left in it.
struct EdwardsLanes {
  size_t table_size;
  size_t fill_workspace_size;
  size_t workspace_size;  // of the multiplications

  // Fills both tables.
  void (*fill)(void *workspace, void *table);

  // Writes scalar * generator for each of eight scalars, a lane for each, as X,
  // Y and Z, below p.
  void (*multiply_each)(const void *table, LanesTable which,
                        const uint64_t *scalars, void *workspace,
                        uint64_t *out);

  // The same for one scalar: every lane takes an eighth of the windows.
  void (*multiply_split)(const void *table, LanesTable which,
                         const uint64_t *scalar, void *workspace,
                         uint64_t *out);
};

// nullptr if this build has none.
const EdwardsLanes *FindEdwardsLanes();

}  // namespace pairmint::ec

#endif  // NATIVE_EC_EDWARDS_LANES_H_
