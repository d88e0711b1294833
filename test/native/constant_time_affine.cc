// Makes points affine whose coordinates valgrind's memcheck takes for
// undefined: it complains of every jump and every address that depends on them.
// Arguments: limbs, whether a is 0, then p, b, x and y of the curve, in hex.
// The argument "leaky" in front adds a jump of that kind, which must be found.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include <memory>
#include <vector>

#include "ec/plain.h"

namespace {

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
  const size_t len = strtoul(arguments[0], nullptr, 10);
  pairmint::ec::CombCurve curve = {};
  ReadHex(arguments[2], curve.p);
  ReadHex(arguments[3], curve.b);
  ReadHex(arguments[4], curve.x);
  ReadHex(arguments[5], curve.y);
  const auto plain = pairmint::ec::PlainCurve::Make(
      len, strcmp(arguments[1], "true") == 0, curve);
  constexpr size_t kCount = 3;
  using Words = std::vector<uint64_t>;
  Words points(kCount * 3 * len);
  for (size_t i = 0; i < kCount; i++) {
    // Any numbers below p do.
    memcpy(&points[3 * len * i], curve.x, 8 * len);
    memcpy(&points[3 * len * i + len], curve.y, 8 * len);
    memcpy(&points[3 * len * i + 2 * len], i == 0 ? curve.x : curve.y, 8 * len);
  }
  Words workspace(kCount * len);
  Words out(kCount * 2 * len);
  VALGRIND_MAKE_MEM_UNDEFINED(points.data(), 8 * points.size());
  plain->MakeAffine(kCount, points.data(), workspace.data(), out.data());
  if (leaky && (out[0] & 1) != 0) {
    puts("odd");
  }
  const bool clean = VALGRIND_COUNT_ERRORS == 0;
  // A pass that did nothing with the points would prove nothing.
  const bool depends =
      VALGRIND_CHECK_MEM_IS_DEFINED(out.data(), 8 * out.size()) != 0;
  puts(clean && depends ? "nothing depends on the points but affine ones"
                        : "something depends on the points");
  return 0;
}
