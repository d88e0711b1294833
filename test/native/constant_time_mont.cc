// Filters and exponentiates in a kernel's lanes with numbers that valgrind's
// memcheck takes for undefined: it complains of every jump and every address
// that depends on them. Argument: the bits of the numbers. The argument "leaky"
// in front adds a jump of that kind, which must be found.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include <memory>
#include <vector>

#include "mont/mont.h"

namespace {

using pairmint::mont::kLanes;
using pairmint::mont::kWords;
using pairmint::mont::Numbers;
using pairmint::mont::Verdicts;

// Odd numbers of exactly `bits` bits.
void Fill(int bits, uint64_t seed, Numbers *out) {
  for (auto &words : out->words) {
    for (int w = 0; w < bits / 64; w++) {
      words[w] = seed = seed * 0x5851f42d4c957f2d + 0x14057b7ef767814f;
    }
    words[0] |= 1;
    words[bits / 64 - 1] |= uint64_t{1} << 63;
  }
}

}  // namespace

int main(int argc, char **argv) {
  const bool leaky = argc > 1 && strcmp(argv[1], "leaky") == 0;
  if (argc < (leaky ? 3 : 2) || RUNNING_ON_VALGRIND == 0) {
    return 2;
  }
  const int bits = static_cast<int>(strtol(argv[leaky ? 2 : 1], nullptr, 10));
  const pairmint::mont::Kernel &kernel = *pairmint::mont::Avx2Kernel();
  const auto n = std::make_unique<Numbers>();
  const auto base = std::make_unique<Numbers>();
  const auto exponent = std::make_unique<Numbers>();
  const auto power = std::make_unique<Numbers>();
  Fill(bits, 1, n.get());
  Fill(bits, 2, base.get());
  Fill(bits, 3, exponent.get());
  for (int lane = 0; lane < kLanes; lane++) {
    base->words[lane][bits / 64 - 1] >>= 1;
    for (Numbers *numbers : {n.get(), base.get(), exponent.get()}) {
      VALGRIND_MAKE_MEM_UNDEFINED(numbers->words[lane], bits / 8);
    }
  }
  std::unique_ptr<uint8_t, decltype(&free)> workspace(
      static_cast<uint8_t *>(
          aligned_alloc(64, (kernel.workspace_len + 63) / 64 * 64)),
      free);
  Verdicts verdicts;
  // Sixteen bits of the exponent: four digits go through all that a digit does.
  if (!kernel.fermat_base2(bits, kernel.batch_len, *n, workspace.get(),
                           &verdicts) ||
      !kernel.mod_exp(bits, kernel.batch_len, *n, *base, *exponent, 16,
                      workspace.get(), power.get())) {
    return 2;
  }
  if (leaky && (power->words[0][0] & 1) != 0) {
    puts("odd");
  }
  const bool clean = VALGRIND_COUNT_ERRORS == 0;
  // A pass that did nothing with the numbers would prove nothing.
  const bool depends = VALGRIND_CHECK_MEM_IS_DEFINED(power->words[0], 8) != 0 &&
                       VALGRIND_CHECK_MEM_IS_DEFINED(verdicts.lanes, 8) != 0;
  puts(clean && depends ? "nothing depends on the numbers but the results"
                        : "something depends on the numbers");
  return 0;
}
