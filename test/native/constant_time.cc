// Multiplies by a comb with scalars that valgrind's memcheck takes for
// undefined: it complains of every jump and every address that depends on them.
// Arguments: limbs, whether a is 0, then p, b, x and y of the curve, in hex.
// The argument "leaky" in front adds a jump of that kind, which must be found.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include <vector>

#include "ec/comb.h"

namespace {

using pairmint::ec::Comb;
using pairmint::ec::CombCurve;

void ReadHex(const char *hex, uint64_t *limbs) {
  const size_t len = strlen(hex);
  for (size_t i = 0; i < len; i++) {
    const char digit[] = {hex[len - 1 - i], 0};
    limbs[i / 16] |= uint64_t{strtoul(digit, nullptr, 16)} << (i % 16 * 4);
  }
}

}  // namespace

int main(int argc, char **argv) {
  const bool leaky = argc > 1 && strcmp(argv[1], "leaky") == 0;
  char **arguments = argv + (leaky ? 2 : 1);
  if (argc < (leaky ? 8 : 7) || RUNNING_ON_VALGRIND == 0) {
    return 2;
  }
  const Comb *comb = pairmint::ec::FindComb(strtoul(arguments[0], nullptr, 10),
                                            strcmp(arguments[1], "true") == 0);
  CombCurve curve = {};
  ReadHex(arguments[2], curve.p);
  ReadHex(arguments[3], curve.b);
  ReadHex(arguments[4], curve.x);
  ReadHex(arguments[5], curve.y);
  constexpr size_t kCount = 2;
  using Words = std::vector<uint64_t>;
  Words table(comb->table_size / 8);
  Words fill_workspace(comb->fill_workspace_size / 8);
  Words workspace(kCount * comb->workspace_size / 8);
  Words scalars(kCount * comb->num_limbs, 0x0123456789abcdef);
  Words out(2 * scalars.size());
  scalars[comb->num_limbs - 1] >>= 56;
  scalars.back() >>= 56;
  comb->fill(curve, fill_workspace.data(), table.data());
  VALGRIND_MAKE_MEM_UNDEFINED(scalars.data(), 8 * scalars.size());
  comb->multiply(table.data(), kCount, scalars.data(), workspace.data(),
                 out.data());
  if (leaky && (out[0] & 1) != 0) {
    puts("odd");
  }
  const bool clean = VALGRIND_COUNT_ERRORS == 0;
  // A pass that did nothing with the scalars would prove nothing.
  const bool depends =
      VALGRIND_CHECK_MEM_IS_DEFINED(out.data(), 8 * out.size()) != 0;
  puts(clean && depends ? "nothing depends on the scalars but the points"
                        : "something depends on the scalars");
  return 0;
}
