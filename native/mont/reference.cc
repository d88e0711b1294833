// The specification of a kernel in the plainest arithmetic there is: one lane,
// 32-bit words, Montgomery's multiplication as in the textbook (Handbook of
// Applied Cryptography 14.36), square and multiply. Not for secrets.
#include <cstring>
#include <vector>

#include "mont/mont.h"

namespace pairmint::mont {
namespace {

using Words32 = std::vector<uint32_t>;

Words32 Load(const Numbers &numbers, int lane, size_t len) {
  Words32 words(len);
  for (size_t i = 0; i < len; i++) {
    words[i] =
        static_cast<uint32_t>(numbers.words[lane][i / 2] >> (i % 2 * 32));
  }
  return words;
}

bool AtLeast(const Words32 &a, uint32_t above, const Words32 &b) {
  for (size_t i = a.size(); above == 0 && i-- > 0;) {
    if (a[i] != b[i]) {
      return a[i] > b[i];
    }
  }
  return true;
}

// x = x + above * 2^(32 len) - n when that is not negative.
void SubtractOnce(const Words32 &n, uint32_t above, Words32 *x) {
  if (!AtLeast(*x, above, n)) {
    return;
  }
  // x < 2 n, so one subtraction is enough, and what is left of `above` at the
  // end is the last borrow. v is in [-2^32, 2^32), and its arithmetic shift is
  // -1 or 0.
  int64_t borrow = 0;
  for (size_t i = 0; i < n.size(); i++) {
    const int64_t v = borrow + (*x)[i] - n[i];
    (*x)[i] = static_cast<uint32_t>(v);
    borrow = v >> 32;
  }
}

class Montgomery {
 public:
  explicit Montgomery(Words32 n) : n_(std::move(n)) {
    // Newton's iteration for n^-1 mod 2^32. The inverse of an odd number is 1
    // mod 2, and each step doubles the number of right bits: five would do, and
    // more change nothing.
    for (uint32_t right_bits = 1; right_bits < 32; right_bits++) {
      inverse_ *= 2 - n_[0] * inverse_;
    }
  }

  // a * b / 2^(32 len) mod n
  //
  // For a and b below n. Each round adds a[i] b + q n, with q such that the sum
  // is a multiple of 2^32, and divides by 2^32. A sum below 2 n stays below (2
  // n + 2 (2^32 - 1) n) / 2^32 = 2 n: `above` is 0 or 1, and one subtraction at
  // the end suffices.
  Words32 Multiply(const Words32 &a, const Words32 &b) const {
    const size_t len = n_.size();
    Words32 sum(len);
    uint32_t above = 0;
    for (size_t i = 0; i < len; i++) {
      const uint32_t q = (sum[0] + a[i] * b[0]) * (0 - inverse_);
      uint64_t product = 0;
      uint64_t multiple = 0;
      for (size_t j = 0; j < len; j++) {
        // At most (2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1: neither overflows.
        product = (product >> 32) + uint64_t{a[i]} * b[j] + sum[j];
        multiple = (multiple >> 32) + uint64_t{q} * n_[j] +
                   static_cast<uint32_t>(product);
        if (j > 0) {
          sum[j - 1] = static_cast<uint32_t>(multiple);
        }
      }
      // Both chains carry into the word above the sum, with the bit that was
      // there. Word 0 of the sum is zero by the choice of q and is left out.
      const uint64_t top = (product >> 32) + (multiple >> 32) + above;
      sum[len - 1] = static_cast<uint32_t>(top);
      above = static_cast<uint32_t>(top >> 32);
    }
    SubtractOnce(n_, above, &sum);
    return sum;
  }

  Words32 Power(const Words32 &base, const Words32 &exponent) const {
    // R = 2^(32 len). R^2 mod n takes 64 len doublings, each of a number below
    // n. That is slow, but needs no division and no second kind of arithmetic
    // that would have to be right as well.
    Words32 one(n_.size());
    one[0] = 1;
    // 2^(64 len) mod n by doubling 1.
    Words32 square_of_r = one;
    for (size_t i = 0; i < 64 * n_.size(); i++) {
      uint32_t above = 0;
      for (uint32_t &word : square_of_r) {
        const uint32_t next = word >> 31;
        word = word << 1 | above;
        above = next;
      }
      SubtractOnce(n_, above, &square_of_r);
    }
    const Words32 b = Multiply(base, square_of_r);
    Words32 x = Multiply(one, square_of_r);
    // From the top bit down; squaring 1 before the first one changes nothing
    // and is left out. Branches on the exponent: see "not for secrets".
    bool begun = false;
    for (size_t i = 32 * exponent.size(); i-- > 0;) {
      x = begun ? Multiply(x, x) : x;
      if (exponent[i / 32] >> (i % 32) & 1) {
        x = Multiply(x, b);
        begun = true;
      }
    }
    return Multiply(x, one);
  }

 private:
  Words32 n_;
  uint32_t inverse_ = 1;
};

// An even number of 32-bit words, so that R is the same power of two as for
// 64-bit words, and Load never reads half a word.
size_t Len32(int bits) { return (static_cast<size_t>(bits) + 63) / 64 * 2; }

bool ModExp(int bits, int num_lanes, const Numbers &n, const Numbers &base,
            const Numbers &exponent, int, uint8_t *, Numbers *out) {
  const size_t len = Len32(bits);
  for (int lane = 0; lane < num_lanes; lane++) {
    const Words32 result =
        Montgomery(Load(n, lane, len))
            .Power(Load(base, lane, len), Load(exponent, lane, len));
    // Kernels write words above the length as zeros; so must this.
    memset(out->words[lane], 0, sizeof out->words[lane]);
    for (size_t i = 0; i < len; i++) {
      out->words[lane][i / 2] |= uint64_t{result[i]} << (i % 2 * 32);
    }
  }
  return true;
}

bool FermatBase2(int bits, int num_lanes, const Numbers &n, uint8_t *,
                 Verdicts *out) {
  const size_t len = Len32(bits);
  for (int lane = 0; lane < num_lanes; lane++) {
    // The definition itself, 2^(n-1) mod n == 1. Kernels may get there in
    // another way, as long as the verdict is the same.
    Words32 two(len), one(len);
    two[0] = 2;
    one[0] = 1;
    const Words32 modulus = Load(n, lane, len);
    Words32 exponent = modulus;
    // n is odd: nothing is borrowed.
    exponent[0] -= 1;
    // A power is below n, so that 1 has one form only.
    out->lanes[lane] = Montgomery(modulus).Power(two, exponent) == one;
  }
  return true;
}

constexpr Kernel kKernel = {"reference", 64,          kMaxBits, kLanes,
                            0,           FermatBase2, ModExp,   nullptr};

}  // namespace

const Kernel *ReferenceKernel() { return &kKernel; }

}  // namespace pairmint::mont
