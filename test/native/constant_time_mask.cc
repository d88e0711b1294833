// Adds a mask to a key, both of which valgrind's memcheck takes for undefined:
// it complains of every jump and every address that depends on them. The sum is
// public. Argument: the curve. The argument "leaky" in front adds a jump of
// that kind, which must be found.
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include <vector>

#include "ec/verify.h"

namespace {

using pairmint::core::BignumPtr;

// A BIGNUM begins with the pointer to its words.
void *WordsOf(const BIGNUM *number) {
  void *words = nullptr;
  memcpy(&words, number, sizeof words);
  return words;
}

BignumPtr Undefined(size_t len, uint8_t byte) {
  const std::vector<uint8_t> bytes(len, byte);
  BignumPtr number(
      BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  VALGRIND_MAKE_MEM_UNDEFINED(WordsOf(number.get()), len);
  return number;
}

}  // namespace

int main(int argc, char **argv) {
  const bool leaky = argc > 1 && strcmp(argv[1], "leaky") == 0;
  if (argc != (leaky ? 3 : 2) || RUNNING_ON_VALGRIND == 0) {
    return 2;
  }
  const pairmint::ec::Curve &curve = *pairmint::ec::FindCurve(argv[argc - 1]);
  const EC_GROUP *group = pairmint::ec::GroupOf(curve);
  // Shorter than the order by the excess bits of P-521.
  const size_t len = curve.field_len - 1;
  const BignumPtr key = Undefined(len, 0x5a);
  const BignumPtr r = Undefined(len, 0xc3);
  const BignumPtr sum = pairmint::ec::MaskedKey(group, key.get(), r.get());
  if (leaky && BN_is_odd(sum.get()) == 1) {
    puts("odd");
  }
  const bool clean = VALGRIND_COUNT_ERRORS == 0;
  // A pass that did nothing with the numbers would prove nothing.
  const bool depends =
      VALGRIND_CHECK_MEM_IS_DEFINED(WordsOf(sum.get()), len) != 0;
  puts(clean && depends ? "nothing depends on the numbers but their sum"
                        : "something depends on the numbers");
  return 0;
}
