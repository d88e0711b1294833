// Four numbers at a time, one in each 64-bit lane, as limbs of 28 bits: for
// processors with AVX2 and without AVX-512 IFMA. Eight lanes are two groups.
//
// A number of L = kBlock * kBlocks limbs is treated in blocks. Products are
// summed by column ("product scanning"): kBlock columns stay in registers while
// every pair of blocks that reaches them slides past, so that no partial sum is
// stored. vpmuludq multiplies 32 bits by 32: limbs of 28 bits leave room for
// 2^8 products in a column of 64 bits, and a column gets 2 L <= 156 of them.
// With 29 bits 2,048-bit numbers would take four limbs less, but a column
// could hold 2^6 products only and would have to be emptied three times.
//
// The modulus of the reduction is not n but n' = k n with k = -n^-1 mod 2^56,
// so that n' + 1 ends in two limbs of zeros. Montgomery's quotient digit q is
// then the lowest limb itself instead of a product with an inverse, and adding
// q n' = q (n' + 1) - q takes that limb away and reaches no column before the
// next but one. Two products of five cycles leave the chain that everything
// waits for. n' has 56 bits more than n, for which the widths below have room,
// and numbers that are right modulo n' are right modulo n; the last step
// reduces by n itself.
//
// Montgomery's reduction with R = 2^(28 L) is never completed by a
// subtraction: values stay below 4 n', and R >= 2^4 n' makes
// (4 n')^2 / R + n' <= 2 n', with room for one doubling.
//
// Nothing here depends on the numbers: no branch, no address, nothing that
// leaves the vector unit (test/native/disassembly.mjs looks at the machine
// code).
#include "mont/mont.h"

#if defined(__AVX2__)
#include <immintrin.h>

namespace pairmint::mont {
namespace {

#define PAIRMINT_INLINE inline __attribute__((always_inline))

using Vector = __m256i;

constexpr int kGroup = 4;
constexpr int kLimbBits = 28;
constexpr uint64_t kLimbMask = (uint64_t{1} << kLimbBits) - 1;
// With windows of four bits an exponent of 2,048 bits takes 526 products, those
// of the table included. Five bits would save 86, of 2,574 with the squarings,
// but reading the whole table for a digit costs a sixth of a product then, and
// its 79 KB do not fit into the first cache.
constexpr int kWindowBits = 4;
constexpr int kTableLen = 1 << kWindowBits;

// How numbers of one width are cut. Sixteen registers hold the columns of a
// block, one limb of the other factor and products on their way: a block of 12
// fits, one of 15 does not and takes half as long again. Of the blocks that
// fit, these leave the fewest limbs unused.
template <int kBlockLen, int kNumBlocks>
struct Shape {
  static constexpr int kBlock = kBlockLen;
  static constexpr int kBlocks = kNumBlocks;
  static constexpr int kLimbs = kBlock * kBlocks;
  static constexpr int kBits = kLimbBits * kLimbs;
  // R >= 2^4 n', and n' has 56 bits more than n.
  static constexpr int kMaxModulusBits = kBits - 2 * kLimbBits - 4;
};
using Shape1024 = Shape<8, 5>;
using Shape1536 = Shape<12, 5>;
using Shape2048 = Shape<11, 7>;

constexpr int kMaxLimbs = Shape2048::kLimbs;

PAIRMINT_INLINE Vector Zero() { return _mm256_setzero_si256(); }
PAIRMINT_INLINE Vector Broadcast(uint64_t value) {
  return _mm256_set1_epi64x(static_cast<long long>(value));
}
PAIRMINT_INLINE Vector Add(Vector a, Vector b) {
  return _mm256_add_epi64(a, b);
}
PAIRMINT_INLINE Vector Low28(Vector a) {
  return _mm256_and_si256(a, Broadcast(kLimbMask));
}
PAIRMINT_INLINE Vector Above28(Vector a) {
  return _mm256_srli_epi64(a, kLimbBits);
}
// A shift by 64 or more gives zero.
PAIRMINT_INLINE Vector Right(Vector a, int bits) {
  return _mm256_srl_epi64(a, _mm_cvtsi32_si128(bits));
}
PAIRMINT_INLINE Vector Left(Vector a, int bits) {
  return _mm256_sll_epi64(a, _mm_cvtsi32_si128(bits));
}
// Compilers like to load a limb once for all its products and then run out of
// registers, which takes three times as long. They may not carry a load across
// this.
PAIRMINT_INLINE void ForgetLoads() {
#if defined(__GNUC__)
  __asm__ __volatile__("" : : : "memory");
#endif
}
// sum + a * b, of the low 32 bits of a and b.
PAIRMINT_INLINE Vector MulAdd(Vector sum, Vector a, Vector b) {
  Vector out = Add(sum, _mm256_mul_epu32(a, b));
#if defined(__GNUC__)
  __asm__("" : "+x"(out));
#endif
  return out;
}

// Adds to the columns of a block what the limbs of block b contribute with the
// limbs of a that meet them there: those of block a (kLower) and of the one
// below it (kUpper).
template <int kBlock, bool kLower, bool kUpper>
PAIRMINT_INLINE void Slide(const Vector *a, const Vector *b,
                           Vector (&columns)[kBlock]) {
// All bounds are constants, so that the branch below is gone in the machine
// code.
#pragma GCC unroll 16
  for (int j = 0; j < kBlock; j++) {
    const Vector bj = b[j];
#pragma GCC unroll 16
    for (int c = 0; c < kBlock; c++) {
      // NOLINTNEXTLINE(bugprone-branch-clone): constants of the template
      if (c - j >= 0 ? kLower : kUpper) {
        columns[c] = MulAdd(columns[c], a[c - j], bj);
      }
    }
    ForgetLoads();
  }
}

// The products of two different limbs of one block, each pair once: those in
// the lower half of the block's square, or in its upper half.
template <int kBlock, bool kUpper>
PAIRMINT_INLINE void SlideOverItself(const Vector *a,
                                     Vector (&columns)[kBlock]) {
  constexpr int kFirst = kUpper ? kBlock : 0;
#pragma GCC unroll 16
  for (int j = 0; j < kBlock; j++) {
#pragma GCC unroll 16
    for (int i = j + 1; i < kBlock; i++) {
      if (i + j >= kFirst && i + j < kFirst + kBlock) {
        columns[i + j - kFirst] = MulAdd(columns[i + j - kFirst], a[i], a[j]);
      }
    }
    ForgetLoads();
  }
}

// The squares of a block's limbs in one half of the block's square.
template <int kBlock, bool kUpper>
PAIRMINT_INLINE void AddSquares(const Vector *a, Vector (&columns)[kBlock]) {
  constexpr int kFirst = kUpper ? kBlock : 0;
#pragma GCC unroll 16
  for (int i = 0; i < kBlock; i++) {
    if (2 * i >= kFirst && 2 * i < kFirst + kBlock) {
      columns[2 * i - kFirst] = MulAdd(columns[2 * i - kFirst], a[i], a[i]);
    }
  }
}

// The columns of block t of a * b before reduction, for blocks t of the lower
// and of the upper half.
template <typename S>
PAIRMINT_INLINE void ProductColumns(const Vector *a, const Vector *b, int t,
                                    Vector (&columns)[S::kBlock]) {
  constexpr int kBlock = S::kBlock;
  // Block t of the product gets the lower half of the blocks t - j and j of the
  // factors, and the upper half of the blocks t - j - 1 and j. The loop takes
  // the j for which both pairs exist; one half alone is left at an end of the
  // factors.
  for (int j = t < S::kBlocks ? 0 : t - S::kBlocks + 1; j < S::kBlocks && j < t;
       j++) {
    Slide<kBlock, true, true>(a + kBlock * (t - j), b + kBlock * j, columns);
  }
  if (t < S::kBlocks) {
    Slide<kBlock, true, false>(a, b + kBlock * t, columns);
  } else {
    Slide<kBlock, false, true>(a + kBlock * S::kBlocks,
                               b + kBlock * (t - S::kBlocks), columns);
  }
}

// The same for a * a: pairs of different limbs once, doubled, and the squares
// of limbs.
template <typename S>
PAIRMINT_INLINE void SquareColumns(const Vector *a, int t,
                                   Vector (&columns)[S::kBlock]) {
  constexpr int kBlock = S::kBlock;
  // 2 j < t - 1 is j < t - j - 1: of both pairs that meet here, the block of a
  // is above block j. For an odd t, j = (t - 1) / 2 remains with its lower
  // half, as its upper half is half of one block's square; an even t has half
  // of a square in place of the lower half, and nothing remains.
  for (int j = t < S::kBlocks ? 0 : t - S::kBlocks + 1; 2 * j < t - 1; j++) {
    Slide<kBlock, true, true>(a + kBlock * (t - j), a + kBlock * j, columns);
  }
  if (t >= S::kBlocks && t < 2 * S::kBlocks - 1) {
    Slide<kBlock, false, true>(a + kBlock * S::kBlocks,
                               a + kBlock * (t - S::kBlocks), columns);
  }
  const Vector *middle = a + kBlock * (t / 2);
  if (t % 2 == 1) {
    if (t < 2 * S::kBlocks - 1) {
      Slide<kBlock, true, false>(middle + kBlock, middle, columns);
    }
    SlideOverItself<kBlock, true>(middle, columns);
  } else {
    SlideOverItself<kBlock, false>(middle, columns);
  }
#pragma GCC unroll 16
  for (int c = 0; c < kBlock; c++) {
    columns[c] = Add(columns[c], columns[c]);
  }
  if (t % 2 == 1) {
    AddSquares<kBlock, true>(middle, columns);
  } else {
    AddSquares<kBlock, false>(middle, columns);
  }
}

// What stays the same while one modulus is worked with.
struct Modulus {
  const Vector *n;      // n' + 1, or n for the last step
  const Vector *one;    // the number 1
  const Vector *exact;  // n
  Vector inverse;       // -n^-1 mod 2^28
  Vector *q;            // L limbs of scratch
};

// How the digits of a quotient are found: for n' or for any odd modulus.
enum class Reduction { kFriendly, kExact };

// Makes the columns of a block vanish modulo R: finds their quotient digits q,
// adds their multiples of the modulus within the block and returns the carry
// into the next one.
template <int kBlock, Reduction kReduction>
PAIRMINT_INLINE Vector QuotientBlock(const Vector *n, Vector inverse,
                                     Vector (&columns)[kBlock], Vector *q) {
  Vector carry = Zero();
#pragma GCC unroll 16
  for (int i = 0; i < kBlock; i++) {
    const Vector column = i == 0 ? columns[0] : Add(columns[i], carry);
    Vector digit;
    if (kReduction == Reduction::kFriendly) {
      digit = Low28(column);
      carry = Above28(column);
    } else {
      // vpmuludq reads 32 bits of a column that may have 63: the low 28 bits
      // of the product are right.
      digit = Low28(_mm256_mul_epu32(column, inverse));
      carry = Above28(MulAdd(column, n[0], digit));
    }
    q[i] = digit;
    constexpr int kFirst = kReduction == Reduction::kFriendly ? 2 : 1;
#pragma GCC unroll 16
    for (int c = i + kFirst; c < kBlock; c++) {
      columns[c] = MulAdd(columns[c], n[c - i], digit);
    }
    ForgetLoads();
  }
  return carry;
}

template <typename S, bool kSquare>
PAIRMINT_INLINE void Columns(const Vector *a, const Vector *b, int t,
                             Vector (&columns)[S::kBlock]) {
#pragma GCC unroll 16
  for (int c = 0; c < S::kBlock; c++) {
    columns[c] = Zero();
  }
  if (kSquare) {
    SquareColumns<S>(a, t, columns);
  } else {
    ProductColumns<S>(a, b, t, columns);
  }
}

// x = a * b / R mod n', times two in the lanes where `twice` is 1 and not 0.
// x may be a or b. kSquare: a and b are the same.
template <typename S, bool kSquare, Reduction kReduction>
PAIRMINT_INLINE void Multiply(const Modulus &m, const Vector *a,
                              const Vector *b, Vector twice, Vector *x) {
  constexpr int kBlock = S::kBlock;
  constexpr int kBlocks = S::kBlocks;
  Vector carry = Zero();
  for (int t = 0; t < kBlocks; t++) {
    Vector columns[kBlock];
    Columns<S, kSquare>(a, b, t, columns);
    for (int j = 0; j < t; j++) {
      Slide<kBlock, true, true>(m.n + kBlock * (t - j), m.q + kBlock * j,
                                columns);
    }
    columns[0] = Add(columns[0], carry);
    carry = QuotientBlock<kBlock, kReduction>(m.n, m.inverse, columns,
                                              m.q + kBlock * t);
  }
  Vector doubled = Zero();
  for (int t = kBlocks; t < 2 * kBlocks; t++) {
    Vector columns[kBlock];
    Columns<S, kSquare>(a, b, t, columns);
    for (int j = t - kBlocks + 1; j < kBlocks; j++) {
      Slide<kBlock, true, true>(m.n + kBlock * (t - j), m.q + kBlock * j,
                                columns);
    }
    Slide<kBlock, false, true>(m.n + kBlock * kBlocks,
                               m.q + kBlock * (t - kBlocks), columns);
    // A column may have 64 bits and cannot be doubled: its limb is cut off
    // first. What is left above the last limb is zero, because the result is
    // below 4 n' <= 2^(28 L - 2).
    //
    // x may be a or b, as block t - kBlocks of the factors, which is
    // overwritten here, is not read for block t + 1: the lowest it reads is
    // t + 1 - kBlocks.
#pragma GCC unroll 16
    for (int c = 0; c < kBlock; c++) {
      const Vector v = Add(columns[c], carry);
      carry = Above28(v);
      Vector limb = Low28(v);
      if (kSquare) {
        doubled = Add(_mm256_sllv_epi64(limb, twice), doubled);
        limb = Low28(doubled);
        doubled = Above28(doubled);
      }
      x[kBlock * (t - kBlocks) + c] = limb;
    }
  }
}

template <typename S>
__attribute__((noinline)) void Square(const Modulus &m, Vector twice,
                                      Vector *x) {
  Multiply<S, true, Reduction::kFriendly>(m, x, x, twice, x);
}

template <typename S>
__attribute__((noinline)) void Product(const Modulus &m, const Vector *a,
                                       const Vector *b, Vector *x) {
  Multiply<S, false, Reduction::kFriendly>(m, a, b, Zero(), x);
}

// x = x / R mod n, for x < R; the result is at most n, and n only if n divides
// x: (x + q n) / R with q <= R - 1 is below n + 1.
template <typename S>
__attribute__((noinline)) void LeaveMontgomery(const Modulus &m, Vector *x) {
  Modulus exact = m;
  exact.n = m.exact;
  Multiply<S, false, Reduction::kExact>(exact, x, m.one, Zero(), x);
}

// The word w of the four numbers from `words` on.
PAIRMINT_INLINE Vector LoadWord(const uint64_t *words, int w) {
  const Vector lanes = _mm256_setr_epi64x(0, kWords, 2 * kWords, 3 * kWords);
  return _mm256_i64gather_epi64(reinterpret_cast<const long long *>(words + w),
                                lanes, 8);
}

// out[0..num_limbs-1] = the limbs of four numbers.
void LoadLimbs(const uint64_t *words, int num_limbs, Vector *out) {
  for (int i = 0; i < num_limbs; i++) {
    // 28 bits lie in two words at most. The last limb of 2,156 bits looks at
    // word 34, and a lane has 65.
    const int at = kLimbBits * i;
    out[i] = Low28(
        _mm256_or_si256(Right(LoadWord(words, at / 64), at % 64),
                        Left(LoadWord(words, at / 64 + 1), 64 - at % 64)));
  }
}

// limbs[num_limbs .. num_limbs + 2] must be zero.
void StoreWords(const Vector *limbs, int num_words, uint64_t *words) {
  for (int w = 0; w < kWords; w++) {
    Vector word = Zero();
    if (w < num_words) {
      const int i = 64 * w / kLimbBits;
      const int at = 64 * w % kLimbBits;
      word = Right(limbs[i], at);
      // A fourth limb is needed when `at` is above 20; otherwise the shift is
      // by 64 or more and gives zero.
      for (int k = 1; k < 4; k++) {
        word = _mm256_or_si256(word, Left(limbs[i + k], k * kLimbBits - at));
      }
    }
    // Halves of registers are stored as they are: no word passes through a
    // general register.
    const __m128d low = _mm_castsi128_pd(_mm256_castsi256_si128(word));
    const __m128d high = _mm_castsi128_pd(_mm256_extracti128_si256(word, 1));
    auto *out = reinterpret_cast<double *>(words + w);
    _mm_storel_pd(out, low);
    _mm_storeh_pd(out + kWords, low);
    _mm_storel_pd(out + 2 * kWords, high);
    _mm_storeh_pd(out + 3 * kWords, high);
  }
}

// out = -x mod 2^(28 num_limbs).
void Negate(const Vector *x, int num_limbs, Vector *out) {
  // The complement and one. v is at most 2^28, so a carry is a single bit.
  Vector carry = Broadcast(1);
  for (int i = 0; i < num_limbs; i++) {
    const Vector v =
        Add(_mm256_andnot_si256(x[i], Broadcast(kLimbMask)), carry);
    out[i] = Low28(v);
    carry = Above28(v);
  }
}

// -n^-1 mod 2^28 by Newton's iteration: n is its own inverse mod 8, and each
// step doubles the number of right bits, from 3 to 48.
Vector NegatedInverse(Vector n) {
  // The error 2 - n * inverse may be negative: its low bits are right in two's
  // complement, and the next product reads those.
  Vector inverse = n;
  for (int right_bits = 3; right_bits < kLimbBits; right_bits *= 2) {
    const Vector error =
        _mm256_sub_epi64(Broadcast(2), _mm256_mul_epu32(n, inverse));
    inverse = _mm256_mul_epu32(inverse, error);
  }
  return Low28(_mm256_sub_epi64(Zero(), inverse));
}

// x = x - n when that is not negative, for x < 2^(28 num_limbs).
void SubtractOnce(const Vector *n, int num_limbs, Vector *scratch, Vector *x) {
  // v is in [-2^28, 2^28). AVX2 has no arithmetic shift of 64 bits; that of 32
  // bits gives -1 or 0 in both halves of a lane. Both results are computed and
  // one is chosen lane by lane: whether n was subtracted is seen by no branch.
  Vector borrow = Zero();
  for (int i = 0; i < num_limbs; i++) {
    const Vector v = Add(_mm256_sub_epi64(x[i], n[i]), borrow);
    borrow = _mm256_srai_epi32(v, kLimbBits);
    scratch[i] = v;
  }
  for (int i = 0; i < num_limbs; i++) {
    x[i] = _mm256_blendv_epi8(Low28(scratch[i]), x[i], borrow);
  }
}

// x = 2 x mod n for x < n < 2^(28 num_limbs - 1).
void DoubleOnce(const Vector *n, int num_limbs, Vector *scratch, Vector *x) {
  Vector above = Zero();
  for (int i = 0; i < num_limbs; i++) {
    const Vector v = Add(Add(x[i], x[i]), above);
    x[i] = Low28(v);
    above = Above28(v);
  }
  SubtractOnce(n, num_limbs, scratch, x);
}

// The memory of one operation; lies in the caller's workspace.
struct Workspace {
  Vector exact[kMaxLimbs];
  Vector n[kMaxLimbs];
  Vector q[kMaxLimbs];
  // StoreWords looks three limbs ahead, Digit one.
  Vector x[kMaxLimbs + 3];
  Vector one[kMaxLimbs];
  Vector exponent[kMaxLimbs + 1];
  Vector square_of_r[kMaxLimbs];
  Vector chosen[kMaxLimbs];
  Vector table[kTableLen][kMaxLimbs];
};

template <typename S>
Modulus LoadModulus(const uint64_t *words, Workspace *w) {
  LoadLimbs(words, S::kLimbs, w->exact);
  for (int i = 0; i < S::kLimbs; i++) {
    w->one[i] = Zero();
  }
  w->one[0] = Broadcast(1);
  // n' + 1 = (k0 + 2^28 k1) n + 1. Of k0 n + 1 the lowest limb is 0 by the
  // choice of k0, and k1 makes the next one 0: t + n k1 = 0 mod 2^28 for
  // k1 = t k0, where t is that limb. Each sum is below 2^57.
  const Vector k0 = NegatedInverse(w->exact[0]);
  Vector carry = Broadcast(1);
  for (int i = 0; i < S::kLimbs; i++) {
    const Vector v = MulAdd(carry, w->exact[i], k0);
    w->n[i] = Low28(v);
    carry = Above28(v);
  }
  const Vector k1 = Low28(_mm256_mul_epu32(w->n[1], k0));
  carry = Zero();
  for (int i = 1; i < S::kLimbs; i++) {
    const Vector v = MulAdd(Add(carry, w->n[i]), w->exact[i - 1], k1);
    w->n[i] = Low28(v);
    carry = Above28(v);
  }
  return {w->n, w->one, w->exact, k0, w->q};
}

// The test is done with 2^-(n-1), because a power 2^-c is a power of two
// 2^(28 L - c) in Montgomery's form, so that the first bits of the exponent
// cost nothing: n - 1 = c * 2^k - v with v < 2^k, and from 2^-c on, k squarings
// double along the bits of v.
template <typename S>
void FermatBase2(int bits, const uint64_t *words, Workspace *w,
                 uint64_t *verdicts) {
  constexpr int kLimbs = S::kLimbs;
  // c <= 2^kTop must be at most 28 L and should have as many bits as it can.
  constexpr int kTop = S::kBits >= 2048 ? 11 : 10;
  static_assert(S::kBits >= 1 << kTop);
  const Modulus m = LoadModulus<S>(words, w);
  const int k = bits - kTop;

  // -(n - 1) = -c * 2^k + v: n is odd, so n - 1 needs no borrow.
  Vector *minus = w->exponent;
  w->x[0] = _mm256_sub_epi64(w->exact[0], Broadcast(1));
  for (int i = 1; i < kLimbs; i++) {
    w->x[i] = w->exact[i];
  }
  Negate(w->x, kLimbs, minus);
  minus[kLimbs] = Zero();
  const int at = k % kLimbBits;
  const Vector minus_c = _mm256_and_si256(
      _mm256_or_si256(Right(minus[k / kLimbBits], at),
                      Left(minus[k / kLimbBits + 1], kLimbBits - at)),
      Broadcast((uint64_t{1} << kTop) - 1));
  // minus_c is 2^kTop - c.
  const Vector power =
      Add(minus_c, Broadcast(uint64_t{S::kBits} - (uint64_t{1} << kTop)));
  for (int i = 0; i < kLimbs; i++) {
    // The first x is a power of two and need not be below 4 n': c is at least
    // 2^(kTop - 1), as n has its top bit set, so x is at most 2^608, 2^1168 or
    // 2^1132 for the three shapes. Its square is below R n in each case (1120 +
    // 1023, 1680 + 1060 and 2156 + 1620 bits), and from the first squaring on
    // values are below (n' + n') * 2.
    // Shift counts below 0 or above 63 give zero.
    const Vector count =
        _mm256_sub_epi64(power, Broadcast(uint64_t{kLimbBits} * i));
    w->x[i] = Low28(_mm256_sllv_epi64(Broadcast(1), count));
  }
  for (int b = k - 1; b >= 0; b--) {
    const Vector twice = _mm256_and_si256(
        Right(minus[b / kLimbBits], b % kLimbBits), Broadcast(1));
    Square<S>(m, twice, w->x);
  }
  // Out of Montgomery's form; the result is at most n, hence 1 or not.
  LeaveMontgomery<S>(m, w->x);
  Vector difference = Zero();
  for (int i = 0; i < kLimbs; i++) {
    difference =
        _mm256_or_si256(difference, _mm256_xor_si256(w->x[i], w->one[i]));
  }
  const Vector is_one =
      _mm256_and_si256(_mm256_cmpeq_epi64(difference, Zero()), Broadcast(1));
  _mm256_storeu_si256(reinterpret_cast<Vector *>(verdicts), is_one);
}

// out = R mod n and w->square_of_r = R^2 in Montgomery's form modulo n'.
template <typename S>
void Setup(int bits, const Modulus &m, Workspace *w, Vector *out) {
  constexpr int kLimbs = S::kLimbs;
  // 2^bits - n is 2^bits mod n, as n has its top bit set.
  //
  // As n is odd and has its top bit set, 2^bits - n is below 2^(bits - 1) and
  // so below n. 28 L - bits doublings then lead to R, some 70 to 140 of them:
  // together they cost less than ten products.
  Negate(w->exact, kLimbs, out);
  const Vector top_mask = Broadcast((uint64_t{1} << (bits % kLimbBits)) - 1);
  out[bits / kLimbBits] = _mm256_and_si256(out[bits / kLimbBits], top_mask);
  for (int i = bits / kLimbBits + 1; i < kLimbs; i++) {
    out[i] = Zero();
  }
  for (int i = bits; i < S::kBits; i++) {
    DoubleOnce(w->exact, kLimbs, w->q, out);
  }
  // R is the Montgomery form of 1 = 2^0. Squaring the form of 2^k doubles k,
  // and `twice` adds 1: along the bits of 28 L that leads to the form of
  // 2^(28 L) = R, which is R^2.
  for (int i = 0; i < kLimbs; i++) {
    w->square_of_r[i] = out[i];
  }
  for (int b = 11; b >= 0; b--) {
    Square<S>(m, Broadcast(static_cast<uint64_t>(S::kBits >> b & 1)),
              w->square_of_r);
  }
  static_assert(S::kBits < 1 << 12);
}

// chosen = table[digit], reading all of it.
void Choose(const Workspace &w, Vector digit, int num_limbs, Vector *chosen) {
  // The place in the table would show in the caches; a mask shows nowhere.
  for (int i = 0; i < num_limbs; i++) {
    chosen[i] = w.table[0][i];
  }
  for (int k = 1; k < kTableLen; k++) {
    const Vector here =
        _mm256_cmpeq_epi64(digit, Broadcast(static_cast<uint64_t>(k)));
    for (int i = 0; i < num_limbs; i++) {
      chosen[i] = _mm256_blendv_epi8(chosen[i], w.table[k][i], here);
    }
  }
}

// The digit of `exponent` whose lowest bit is `at`.
Vector Digit(const Vector *exponent, int at) {
  // A limb has seven digits of four bits: none lies in two limbs. `at` is
  // public: it counts down from exponent_bits.
  static_assert(kLimbBits % kWindowBits == 0);
  return _mm256_and_si256(Right(exponent[at / kLimbBits], at % kLimbBits),
                          Broadcast(kTableLen - 1));
}

template <typename S>
void ModExp(int bits, const uint64_t *n, const uint64_t *base,
            const uint64_t *exponent, int exponent_bits, Workspace *w,
            uint64_t *out) {
  constexpr int kLimbs = S::kLimbs;
  const Modulus m = LoadModulus<S>(n, w);
  Setup<S>(bits, m, w, w->table[0]);
  LoadLimbs(exponent, kLimbs, w->exponent);

  // base < n and R^2 below 4 n', so that this and all products of the table are
  // below 2 n'. Entry 0 is R mod n, the form of 1, so that a digit 0 costs a
  // product as every other digit does.
  LoadLimbs(base, kLimbs, w->x);
  Product<S>(m, w->x, w->square_of_r, w->table[1]);
  for (int k = 2; k < kTableLen; k++) {
    Product<S>(m, w->table[k - 1], w->table[1], w->table[k]);
  }

  int at = (exponent_bits - 1) / kWindowBits * kWindowBits;
  Choose(*w, Digit(w->exponent, at), kLimbs, w->x);
  for (at -= kWindowBits; at >= 0; at -= kWindowBits) {
    for (int i = 0; i < kWindowBits; i++) {
      Square<S>(m, Zero(), w->x);
    }
    Choose(*w, Digit(w->exponent, at), kLimbs, w->chosen);
    Product<S>(m, w->x, w->chosen, w->x);
  }
  // n itself comes out only for a result that is 0 mod n. The subtraction makes
  // it 0.
  LeaveMontgomery<S>(m, w->x);
  SubtractOnce(w->exact, kLimbs, w->q, w->x);
  for (int i = 0; i < 3; i++) {
    w->x[kLimbs + i] = Zero();
  }
  StoreWords(w->x, (bits + 63) / 64, out);
}

// Calls `work` with the narrowest shape that has R >= 2^4 n' and with the first
// lane of every group.
template <typename Work>
void ForEachGroup(int bits, int num_lanes, Work work) {
  for (int lane = 0; lane < num_lanes; lane += kGroup) {
    if (bits <= Shape1024::kMaxModulusBits) {
      work(Shape1024(), lane);
    } else if (bits <= Shape1536::kMaxModulusBits) {
      work(Shape1536(), lane);
    } else {
      work(Shape2048(), lane);
    }
  }
}

bool FermatBase2Any(int bits, int num_lanes, const Numbers &n,
                    uint8_t *workspace, Verdicts *out) {
  auto *w = reinterpret_cast<Workspace *>(workspace);
  ForEachGroup(bits, num_lanes, [&](auto shape, int lane) {
    FermatBase2<decltype(shape)>(bits, n.words[lane], w, out->lanes + lane);
  });
  return true;
}

bool ModExpAny(int bits, int num_lanes, const Numbers &n, const Numbers &base,
               const Numbers &exponent, int exponent_bits, uint8_t *workspace,
               Numbers *out) {
  auto *w = reinterpret_cast<Workspace *>(workspace);
  ForEachGroup(bits, num_lanes, [&](auto shape, int lane) {
    ModExp<decltype(shape)>(bits, n.words[lane], base.words[lane],
                            exponent.words[lane], exponent_bits, w,
                            out->words[lane]);
  });
  return true;
}

// A group of four lanes to a call: a search can stop sooner than after eight,
// which would take no less time for each. No division: the portable one has
// wider products than vpmuludq.
constexpr Kernel kKernel = {
    "avx2",
    1024,
    Shape2048::kMaxModulusBits,
    kGroup,
    sizeof(Workspace),
    FermatBase2Any,
    ModExpAny,
    nullptr,
};

}  // namespace

const Kernel *Avx2Kernel() { return &kKernel; }

}  // namespace pairmint::mont

#else

namespace pairmint::mont {

const Kernel *Avx2Kernel() { return nullptr; }

}  // namespace pairmint::mont

#endif
