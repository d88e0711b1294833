// Eight numbers at a time, one in each 64-bit lane, as limbs of 52 bits.
//
// A number of L = 10 * kBlocks limbs is treated in blocks of ten. Products are
// summed by column ("product scanning"): ten columns stay in registers while
// every pair of blocks that reaches them slides past, and only then a carry
// moves on, so that no partial sum is ever stored. A column gets at most 4 * L
// products below 2^52, which leaves four bits of a 64-bit lane unused.
//
// Montgomery's reduction with R = 2^(52 L) is never completed by a
// subtraction: values stay below 4 n, and R > 2^8 n makes
// (4 n)^2 / R + n < 2 n, with room for one doubling.
//
// Nothing here depends on the numbers: no branch, no address, no mask that
// leaves the vector unit (test/native/disassembly.mjs looks at the machine
// code).
#include "mont/mont.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && \
    defined(__AVX512IFMA__)
#if defined(__GNUC__) && !defined(__clang__)
// https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593: GCC 12 warns of the
// undefined vectors inside its own intrinsics.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

namespace pairmint::mont {
namespace {

#define PAIRMINT_INLINE inline __attribute__((always_inline))

using Vector = __m512i;

// Two, three and four blocks of ten limbs are 1040, 1560 and 2080 bits, just
// above the 1024, 1536 and 2048 of our primes, so that no limb is wasted. Ten
// sums that do not wait for each other also suffice for two multipliers with a
// latency of four cycles, which want eight; a block of five would leave them
// idle.
constexpr int kBlock = 10;
constexpr int kLimbBits = 52;
constexpr uint64_t kLimbMask = (uint64_t{1} << kLimbBits) - 1;
// With windows of five bits an exponent of 2048 bits takes 440 products, those
// of the table included. Four bits would take 86 more; six would save 36, of
// 2,485 with the squarings, but double the table, 80 KB at 2048 bits, of which
// every digit reads all.
constexpr int kWindowBits = 5;
constexpr int kTableLen = 1 << kWindowBits;

// Four blocks are the primes of RSA-4096. A fifth would raise every workspace
// by a quarter for keys that are not minted.
constexpr int kMaxBlocks = 4;
constexpr int kMaxLimbs = kBlock * kMaxBlocks;

PAIRMINT_INLINE Vector Broadcast(uint64_t value) {
  return _mm512_set1_epi64(static_cast<long long>(value));
}
PAIRMINT_INLINE Vector Add(Vector a, Vector b) {
  return _mm512_add_epi64(a, b);
}
PAIRMINT_INLINE Vector Low52(Vector a) {
  return _mm512_and_si512(a, Broadcast(kLimbMask));
}
PAIRMINT_INLINE Vector Right(Vector a, int bits) {
  return _mm512_srl_epi64(a, _mm_cvtsi32_si128(bits));
}
PAIRMINT_INLINE Vector Left(Vector a, int bits) {
  return _mm512_sll_epi64(a, _mm_cvtsi32_si128(bits));
}
// sum + the low (high) 52 bits of a * b.
PAIRMINT_INLINE Vector MulLow(Vector sum, Vector a, Vector b) {
  return _mm512_madd52lo_epu64(sum, a, b);
}
PAIRMINT_INLINE Vector MulHigh(Vector sum, Vector a, Vector b) {
  return _mm512_madd52hi_epu64(sum, a, b);
}

// Adds to ten columns what the limbs b[0..9] contribute with the limbs of a
// that meet them there: a[0..9] (kLower) and a[-10..-1] (kUpper).
template <bool kLower, bool kUpper>
PAIRMINT_INLINE void Slide(const Vector *a, const Vector *b,
                           Vector (&columns)[kBlock]) {
// c - j goes from -10 to 9: column -1 is not ours, but its high halves belong
// to column 0. All bounds are constants, so that the branches below are gone in
// the machine code.
#pragma GCC unroll 10
  for (int j = 0; j < kBlock; j++) {
    const Vector bj = b[j];
#pragma GCC unroll 11
    for (int c = -1; c < kBlock; c++) {
      // a[c - j] * b[j] has its low half in column c and its high half in the
      // next one.
      const int i = c - j;
      // NOLINTNEXTLINE(bugprone-branch-clone): constants of the template
      if (i >= 0 ? kLower : kUpper) {
        const Vector ai = a[i];
        if (c >= 0) {
          columns[c] = MulLow(columns[c], ai, bj);
        }
        if (c + 1 < kBlock) {
          columns[c + 1] = MulHigh(columns[c + 1], ai, bj);
        }
      }
    }
  }
}

// out[0..19] = the square of the ten limbs a, column by column.
PAIRMINT_INLINE void SquareBlock(const Vector *a, Vector *out) {
  // Each product of two different limbs occurs twice in a square. It is added
  // once and its column doubled afterwards: 45 pairs of multiplications and ten
  // for the limbs' own squares, instead of 100.
  Vector columns[2 * kBlock];
#pragma GCC unroll 20
  for (int i = 0; i < 2 * kBlock; i++) {
    columns[i] = _mm512_setzero_si512();
  }
#pragma GCC unroll 10
  for (int j = 0; j < kBlock; j++) {
    const Vector aj = a[j];
#pragma GCC unroll 10
    for (int i = j + 1; i < kBlock; i++) {
      columns[i + j] = MulLow(columns[i + j], a[i], aj);
      columns[i + j + 1] = MulHigh(columns[i + j + 1], a[i], aj);
    }
  }
#pragma GCC unroll 10
  for (int i = 0; i < kBlock; i++) {
    Vector &low = columns[2 * i];
    Vector &high = columns[2 * i + 1];
    out[2 * i] = MulLow(Add(low, low), a[i], a[i]);
    out[2 * i + 1] = MulHigh(Add(high, high), a[i], a[i]);
  }
}

// The columns of block t of a * b before reduction, for blocks t of the lower
// and of the upper half.
template <int kBlocks>
PAIRMINT_INLINE void ProductColumns(const Vector *a, const Vector *b, int t,
                                    Vector (&columns)[kBlock]) {
  // Block t of the product gets the lower half of the blocks t - j and j of the
  // factors, and the upper half of the blocks t - j - 1 and j. The loop takes
  // the j for which both pairs exist; one half alone is left at an end of the
  // factors.
  for (int j = t < kBlocks ? 0 : t - kBlocks + 1; j < kBlocks && j < t; j++) {
    Slide<true, true>(a + kBlock * (t - j), b + kBlock * j, columns);
  }
  if (t < kBlocks) {
    Slide<true, false>(a, b + kBlock * t, columns);
  } else {
    Slide<false, true>(a + kBlock * kBlocks, b + kBlock * (t - kBlocks),
                       columns);
  }
}

// The same for a * a: pairs of different blocks once, doubled, and the squares
// of single blocks from `squares`.
template <int kBlocks>
PAIRMINT_INLINE void SquareColumns(const Vector *a, const Vector *squares,
                                   int t, Vector (&columns)[kBlock]) {
  // 2 j < t - 1 is j < t - j - 1: of both pairs that meet here, the block of a
  // is above block j. For an odd t, j = (t - 1) / 2 remains with its lower half
  // only, as its upper half is a square of one block; an even t has its square
  // in the lower half, and nothing remains.
  for (int j = t < kBlocks ? 0 : t - kBlocks + 1; 2 * j < t - 1; j++) {
    Slide<true, true>(a + kBlock * (t - j), a + kBlock * j, columns);
  }
  if (t < 2 * kBlocks - 1) {
    if (t >= kBlocks) {
      Slide<false, true>(a + kBlock * kBlocks, a + kBlock * (t - kBlocks),
                         columns);
    }
    if (t % 2 == 1) {
      Slide<true, false>(a + kBlock * ((t + 1) / 2), a + kBlock * ((t - 1) / 2),
                         columns);
    }
  }
#pragma GCC unroll 10
  for (int i = 0; i < kBlock; i++) {
    columns[i] = Add(Add(columns[i], columns[i]), squares[kBlock * t + i]);
  }
}

// Makes ten columns vanish modulo R: finds their quotient digits q, adds
// q * n within the block and returns the carry into the next one.
//
// A column c plus the low half of n[0] * q is a multiple of 2^52 by the choice
// of q, so the carry is c / 2^52 rounded up, and the product need not be
// waited for: one step of the chain costs a product, a product and a sum.
PAIRMINT_INLINE Vector QuotientBlock(const Vector *n, Vector n_inverse,
                                     Vector (&columns)[kBlock], Vector *q) {
  // vpmadd52 reads the low 52 bits of its factors and ignores the rest: neither
  // a column, which may have 60 bits, nor the inverse has to be cut, and each q
  // is below 2^52. Adding `mask` to round up cannot overflow for the same 60
  // bits.
  const Vector zero = _mm512_setzero_si512();
  const Vector mask = Broadcast(kLimbMask);
  Vector carry = zero;
#pragma GCC unroll 10
  for (int i = 0; i < kBlock; i++) {
    const Vector qi = MulLow(zero, columns[i], n_inverse);
    q[i] = qi;
    carry = _mm512_srli_epi64(Add(columns[i], mask), kLimbBits);
    if (i + 1 < kBlock) {
      carry = MulHigh(carry, n[0], qi);
      columns[i + 1] = Add(MulLow(columns[i + 1], n[1], qi), carry);
    }
#pragma GCC unroll 10
    for (int c = i + 2; c < kBlock; c++) {
      columns[c] = MulHigh(columns[c], n[c - 1 - i], qi);
      columns[c] = MulLow(columns[c], n[c - i], qi);
    }
  }
  return carry;
}

// What stays the same while one modulus is worked with.
struct Modulus {
  const Vector *n;
  Vector inverse;   // -n^-1 mod 2^52
  Vector *squares;  // 2 L limbs of scratch
  Vector *q;        // L limbs of scratch
};

template <int kBlocks, bool kSquare>
PAIRMINT_INLINE void Columns(const Modulus &m, const Vector *a, const Vector *b,
                             int t, Vector (&columns)[kBlock]) {
  if (kSquare) {
    SquareColumns<kBlocks>(a, m.squares, t, columns);
  } else {
    ProductColumns<kBlocks>(a, b, t, columns);
  }
}

// Block t < kBlocks of the product, which vanishes.
template <int kBlocks, bool kSquare>
PAIRMINT_INLINE void LowBlock(const Modulus &m, const Vector *a,
                              const Vector *b, int t, Vector *carry) {
  Vector columns[kBlock] = {};
  Columns<kBlocks, kSquare>(m, a, b, t, columns);
  for (int j = 0; j < t; j++) {
    Slide<true, true>(m.n + kBlock * (t - j), m.q + kBlock * j, columns);
  }
  columns[0] = Add(columns[0], *carry);
  // The high half of n[0] times the block's last digit belongs to the next
  // block, where Slide adds it.
  *carry = QuotientBlock(m.n, m.inverse, columns, m.q + kBlock * t);
}

// Block t >= kBlocks of the product, which is block t - kBlocks of the result.
template <int kBlocks, bool kSquare>
PAIRMINT_INLINE void HighBlock(const Modulus &m, const Vector *a,
                               const Vector *b, int t, Vector twice,
                               Vector carry, Vector *above, Vector *x) {
  Vector columns[kBlock] = {};
  Columns<kBlocks, kSquare>(m, a, b, t, columns);
  for (int j = t - kBlocks + 1; j < kBlocks; j++) {
    Slide<true, true>(m.n + kBlock * (t - j), m.q + kBlock * j, columns);
  }
  Slide<false, true>(m.n + kBlock * kBlocks, m.q + kBlock * (t - kBlocks),
                     columns);
  // Below, a column of less than 2^60 is doubled at most and takes a carry of
  // ten bits, and so stays below 2^62. What is left above the last limb is
  // zero, because the result is below 4 n < 2^(52 L - 6).
  //
  // x may be a or b, as block t - kBlocks of the factors, which is overwritten
  // here, is not read for block t + 1: the lowest it reads is t + 1 - kBlocks.
  columns[0] = Add(columns[0], carry);
#pragma GCC unroll 10
  for (int i = 0; i < kBlock; i++) {
    Vector v = columns[i];
    if (kSquare) {
      v = _mm512_sllv_epi64(v, twice);
    }
    v = Add(v, *above);
    *above = _mm512_srli_epi64(v, kLimbBits);
    x[kBlock * (t - kBlocks) + i] = Low52(v);
  }
}

// x = a * b / R mod n, times two in the lanes where `twice` is 1 and not 0.
// x may be a or b. kSquare: a and b are the same.
template <int kBlocks, bool kSquare>
PAIRMINT_INLINE void Multiply(const Modulus &m, const Vector *a,
                              const Vector *b, Vector twice, Vector *x) {
  if (kSquare) {
    for (int t = 0; t < kBlocks; t++) {
      SquareBlock(a + kBlock * t, m.squares + 2 * kBlock * t);
    }
  }
  const Vector zero = _mm512_setzero_si512();
  Vector carry = zero;
  Vector above = zero;
  if constexpr (kBlocks == 2) {
    // Written out, 1024 bits are 5 % faster; more blocks would not fit into the
    // processor's first cache.
    LowBlock<2, kSquare>(m, a, b, 0, &carry);
    LowBlock<2, kSquare>(m, a, b, 1, &carry);
    HighBlock<2, kSquare>(m, a, b, 2, twice, carry, &above, x);
    HighBlock<2, kSquare>(m, a, b, 3, twice, zero, &above, x);
  } else {
    for (int t = 0; t < kBlocks; t++) {
      LowBlock<kBlocks, kSquare>(m, a, b, t, &carry);
    }
    for (int t = kBlocks; t < 2 * kBlocks; t++) {
      HighBlock<kBlocks, kSquare>(m, a, b, t, twice, carry, &above, x);
      carry = zero;
    }
  }
}

template <int kBlocks>
__attribute__((noinline)) void Square(const Modulus &m, Vector twice,
                                      Vector *x) {
  Multiply<kBlocks, true>(m, x, x, twice, x);
}

template <int kBlocks>
__attribute__((noinline)) void Product(const Modulus &m, const Vector *a,
                                       const Vector *b, Vector *x) {
  const Vector zero = _mm512_setzero_si512();
  Multiply<kBlocks, false>(m, a, b, zero, x);
}

// out[0..num_limbs-1] = the limbs of eight numbers.
void LoadLimbs(const Numbers &numbers, int num_limbs, Vector *out) {
  const Vector lanes =
      _mm512_setr_epi64(0, kWords, 2 * kWords, 3 * kWords, 4 * kWords,
                        5 * kWords, 6 * kWords, 7 * kWords);
  const uint64_t *words = numbers.words[0];
  for (int i = 0; i < num_limbs; i++) {
    // 52 bits lie in two words at most. The last limb of 2080 bits looks at
    // word 32, and a lane has 65.
    const int at = kLimbBits * i;
    const Vector low = _mm512_i64gather_epi64(lanes, words + at / 64, 8);
    const Vector high = _mm512_i64gather_epi64(lanes, words + at / 64 + 1, 8);
    // A shift by 64 gives zero.
    out[i] =
        Low52(_mm512_or_si512(Right(low, at % 64), Left(high, 64 - at % 64)));
  }
}

// limbs[num_limbs] and limbs[num_limbs + 1] must be zero.
void StoreWords(const Vector *limbs, int num_words, Numbers *out) {
  const Vector lanes =
      _mm512_setr_epi64(0, kWords, 2 * kWords, 3 * kWords, 4 * kWords,
                        5 * kWords, 6 * kWords, 7 * kWords);
  for (int w = 0; w < kWords; w++) {
    Vector word = _mm512_setzero_si512();
    if (w < num_words) {
      const int i = 64 * w / kLimbBits;
      const int at = 64 * w % kLimbBits;
      word = _mm512_or_si512(Right(limbs[i], at),
                             Left(limbs[i + 1], kLimbBits - at));
      // A third limb is needed when `at` is above 40; otherwise the shift is by
      // 64 or more and gives zero.
      word = _mm512_or_si512(word, Left(limbs[i + 2], 2 * kLimbBits - at));
    }
    _mm512_i64scatter_epi64(out->words[0] + w, lanes, word, 8);
  }
}

// out = -x mod 2^(52 num_limbs).
void Negate(const Vector *x, int num_limbs, Vector *out) {
  // The complement and one. v is at most 2^52, so a carry is a single bit.
  Vector carry = Broadcast(1);
  for (int i = 0; i < num_limbs; i++) {
    const Vector v =
        Add(_mm512_andnot_si512(x[i], Broadcast(kLimbMask)), carry);
    out[i] = Low52(v);
    carry = _mm512_srli_epi64(v, kLimbBits);
  }
}

// -n^-1 mod 2^52 by Newton's iteration: n is its own inverse mod 8, and each
// step doubles the number of right bits.
Vector NegatedInverse(Vector n) {
  // The error 2 - n * inverse may be negative, and so is the result: its low 52
  // bits are right in two's complement, and vpmadd52 reads only those. Five
  // steps bring 3 bits to 96.
  const Vector zero = _mm512_setzero_si512();
  Vector inverse = n;
  for (int right_bits = 3; right_bits < kLimbBits; right_bits *= 2) {
    const Vector error =
        _mm512_sub_epi64(Broadcast(2), MulLow(zero, n, inverse));
    inverse = MulLow(zero, inverse, error);
  }
  return _mm512_sub_epi64(zero, inverse);
}

// x = x - n when that is not negative. x < 2^(52 L + 1) may have a last limb
// of 53 bits.
void SubtractOnce(const Vector *n, int num_limbs, Vector *scratch, Vector *x) {
  // v is in [-2^52, 2^53), so that the arithmetic shift gives -1, 0 or, behind
  // the last limb only, 1; a borrow above 0 there counts as "not negative".
  // Both results are computed and one is chosen lane by lane: whether n was
  // subtracted is seen by no branch.
  Vector borrow = _mm512_setzero_si512();
  for (int i = 0; i < num_limbs; i++) {
    const Vector v = Add(_mm512_sub_epi64(x[i], n[i]), borrow);
    borrow = _mm512_srai_epi64(v, kLimbBits);
    scratch[i] = v;
  }
  const __mmask8 negative = _mm512_movepi64_mask(borrow);
  for (int i = 0; i < num_limbs; i++) {
    x[i] = _mm512_mask_mov_epi64(Low52(scratch[i]), negative, x[i]);
  }
}

// x = 2 x mod n.
void DoubleOnce(const Vector *n, int num_limbs, Vector *scratch, Vector *x) {
  // x < n < 2^(52 L - 8): the doubled number needs no bit above the last limb,
  // and one subtraction makes 2 x < 2 n smaller than n.
  Vector above = _mm512_setzero_si512();
  for (int i = 0; i < num_limbs; i++) {
    const Vector v = _mm512_or_si512(Add(x[i], x[i]), above);
    x[i] = Low52(v);
    above = _mm512_srli_epi64(v, kLimbBits);
  }
  SubtractOnce(n, num_limbs, scratch, x);
}

// The memory of one operation; lies in the caller's workspace.
struct Workspace {
  Vector n[kMaxLimbs];
  Vector squares[2 * kMaxLimbs];
  Vector q[kMaxLimbs];
  // StoreWords looks two limbs ahead, Digit one.
  Vector x[kMaxLimbs + 2];
  Vector one[kMaxLimbs];
  Vector exponent[kMaxLimbs + 1];
  Vector square_of_r[kMaxLimbs];
  Vector montgomery_one[kMaxLimbs];
  Vector chosen[kMaxLimbs];
  Vector table[kTableLen][kMaxLimbs];
};

template <int kBlocks>
Modulus LoadModulus(const Numbers &n, Workspace *w) {
  LoadLimbs(n, kBlock * kBlocks, w->n);
  for (int i = 0; i < kBlock * kBlocks; i++) {
    w->one[i] = _mm512_setzero_si512();
  }
  w->one[0] = Broadcast(1);
  return {w->n, NegatedInverse(w->n[0]), w->squares, w->q};
}

// The test is done with 2^-(n-1), because a power 2^-c is a power of two
// 2^(52 L - c) in Montgomery's form, so that the first bits of the exponent
// cost nothing: n - 1 = c * 2^k - v with v < 2^k, and from 2^-c on, k squarings
// double along the bits of v.
template <int kBlocks>
void FermatBase2(int bits, const Numbers &n, Workspace *w, Verdicts *out) {
  constexpr int kLimbs = kBlock * kBlocks;
  // c <= 2^kTop must be at most 52 L and should have as many bits as it can.
  constexpr int kTop = kBlocks == 4 ? 11 : 10;
  const Modulus m = LoadModulus<kBlocks>(n, w);
  const int k = bits - kTop;

  // -(n - 1) = -c * 2^k + v: n is odd, so n - 1 needs no borrow.
  Vector *minus = w->exponent;
  w->x[0] = _mm512_sub_epi64(w->n[0], Broadcast(1));
  for (int i = 1; i < kLimbs; i++) {
    w->x[i] = w->n[i];
  }
  Negate(w->x, kLimbs, minus);
  minus[kLimbs] = _mm512_setzero_si512();
  const int at = k % kLimbBits;
  const Vector minus_c = _mm512_and_si512(
      _mm512_or_si512(Right(minus[k / kLimbBits], at),
                      Left(minus[k / kLimbBits + 1], kLimbBits - at)),
      Broadcast((uint64_t{1} << kTop) - 1));
  // minus_c is 2^kTop - c.
  const Vector power = Add(
      minus_c, Broadcast(uint64_t{kLimbBits * kLimbs} - (uint64_t{1} << kTop)));
  for (int i = 0; i < kLimbs; i++) {
    // The first x is a power of two and need not be below 4 n: c is at least
    // 2^(kTop - 1), as n has its top bit set, so x is at most 2^528, 2^1048 or
    // 2^1056 for two, three or four blocks. Its square is below R n in each
    // case (1040 + 1023, 1560 + 1032 and 2080 + 1552 bits), and from the first
    // squaring on values are below (n + n) * 2.
    // Shift counts below 0 or above 63 give zero.
    const Vector count =
        _mm512_sub_epi64(power, Broadcast(uint64_t{kLimbBits} * i));
    w->x[i] = Low52(_mm512_sllv_epi64(Broadcast(1), count));
  }
  for (int b = k - 1; b >= 0; b--) {
    const Vector twice = _mm512_and_si512(
        Right(minus[b / kLimbBits], b % kLimbBits), Broadcast(1));
    Square<kBlocks>(m, twice, w->x);
  }
  // Out of Montgomery's form; the result is at most n, hence 1 or not.
  //
  // (x + q n) / R with x < 4 n and q <= R - 1 is below n + 3 n / R < n + 1.
  Product<kBlocks>(m, w->x, w->one, w->x);
  Vector difference = _mm512_setzero_si512();
  for (int i = 0; i < kLimbs; i++) {
    difference =
        _mm512_or_si512(difference, _mm512_xor_si512(w->x[i], w->one[i]));
  }
  _mm512_storeu_si512(
      out->lanes,
      _mm512_maskz_mov_epi64(_mm512_testn_epi64_mask(difference, difference),
                             Broadcast(1)));
}

// w->montgomery_one = R mod n and w->square_of_r = R^2 mod n.
template <int kBlocks>
void Setup(int bits, const Modulus &m, Workspace *w) {
  constexpr int kLimbs = kBlock * kBlocks;
  Vector *r = w->montgomery_one;
  // 2^bits - n is 2^bits mod n, as n has its top bit set.
  //
  // As n is odd and has its top bit set, 2^bits - n is below 2^(bits - 1) and
  // so below n. 52 L - bits doublings then lead to R, 16 to 32 of them for the
  // lengths that are minted.
  Negate(w->n, kLimbs, r);
  const Vector top_mask = Broadcast((uint64_t{1} << (bits % kLimbBits)) - 1);
  r[bits / kLimbBits] = _mm512_and_si512(r[bits / kLimbBits], top_mask);
  for (int i = bits / kLimbBits + 1; i < kLimbs; i++) {
    r[i] = _mm512_setzero_si512();
  }
  for (int i = bits; i < kLimbBits * kLimbs; i++) {
    DoubleOnce(w->n, kLimbs, w->q, r);
  }
  // R is 2^(kDoublings * 2^kSquarings): 1040 = 65 * 2^4, 1560 = 195 * 2^3,
  // 2080 = 65 * 2^5.
  //
  // Doubled k times, R is the Montgomery form of 2^k, and squaring that form
  // doubles the exponent: at 2^(52 L) = R it is R * R. Taking every factor 2 of
  // 52 L by squaring leaves the fewest doublings. The squarings leave a value
  // below 2 n and not below n, which Multiply accepts.
  constexpr int kDoublings = kBlocks == 3 ? 195 : 65;
  constexpr int kSquarings = kBlocks == 2 ? 4 : kBlocks == 3 ? 3 : 5;
  static_assert(kDoublings << kSquarings == kLimbBits * kLimbs);
  for (int i = 0; i < kLimbs; i++) {
    w->square_of_r[i] = r[i];
  }
  for (int i = 0; i < kDoublings; i++) {
    DoubleOnce(w->n, kLimbs, w->q, w->square_of_r);
  }
  const Vector zero = _mm512_setzero_si512();
  for (int i = 0; i < kSquarings; i++) {
    Square<kBlocks>(m, zero, w->square_of_r);
  }
}

// chosen = table[digit], reading all of it.
void Choose(const Workspace &w, Vector digit, int num_limbs, Vector *chosen) {
  // The place in the table would show in the caches; a mask shows nowhere.
  for (int i = 0; i < num_limbs; i++) {
    chosen[i] = w.table[0][i];
  }
  for (int k = 1; k < kTableLen; k++) {
    const __mmask8 here = _mm512_cmpeq_epi64_mask(digit, Broadcast(k));
    for (int i = 0; i < num_limbs; i++) {
      chosen[i] = _mm512_mask_mov_epi64(chosen[i], here, w.table[k][i]);
    }
  }
}

// The digit of `exponent` whose lowest bit is `at`.
Vector Digit(const Vector *exponent, int at) {
  const int i = at / kLimbBits;
  const int shift = at % kLimbBits;
  // Five bits lie in two limbs at most. `at` is public: it counts down from
  // exponent_bits.
  return _mm512_and_si512(
      _mm512_or_si512(Right(exponent[i], shift),
                      Left(exponent[i + 1], kLimbBits - shift)),
      Broadcast(kTableLen - 1));
}

template <int kBlocks>
void ModExp(int bits, const Numbers &n, const Numbers &base,
            const Numbers &exponent, int exponent_bits, Workspace *w,
            Numbers *out) {
  constexpr int kLimbs = kBlock * kBlocks;
  const Modulus m = LoadModulus<kBlocks>(n, w);
  Setup<kBlocks>(bits, m, w);
  LoadLimbs(exponent, kLimbs, w->exponent);
  w->exponent[kLimbs] = _mm512_setzero_si512();

  LoadLimbs(base, kLimbs, w->x);
  for (int i = 0; i < kLimbs; i++) {
    w->table[0][i] = w->montgomery_one[i];
  }
  // base < n and R^2 mod n < 2 n, so that this and all products of the table
  // are below 2 n. Entry 0 is R mod n, the form of 1, so that a digit 0 costs a
  // product as every other digit does.
  Product<kBlocks>(m, w->x, w->square_of_r, w->table[1]);
  for (int k = 2; k < kTableLen; k++) {
    Product<kBlocks>(m, w->table[k - 1], w->table[1], w->table[k]);
  }

  const Vector zero = _mm512_setzero_si512();
  int at = (exponent_bits - 1) / kWindowBits * kWindowBits;
  Choose(*w, Digit(w->exponent, at), kLimbs, w->x);
  for (at -= kWindowBits; at >= 0; at -= kWindowBits) {
    for (int i = 0; i < kWindowBits; i++) {
      Square<kBlocks>(m, zero, w->x);
    }
    Choose(*w, Digit(w->exponent, at), kLimbs, w->chosen);
    Product<kBlocks>(m, w->x, w->chosen, w->x);
  }
  // Out of Montgomery's form: at most n, as in FermatBase2, and n only for a
  // result that is 0 mod n. The subtraction makes it 0.
  Product<kBlocks>(m, w->x, w->one, w->x);
  SubtractOnce(w->n, kLimbs, w->q, w->x);
  w->x[kLimbs] = zero;
  w->x[kLimbs + 1] = zero;
  StoreWords(w->x, (bits + 63) / 64, out);
}

// The residues of eight numbers modulo four products Q at once, so that eight
// independent sums hide the latency of the multiplier. Two steps of
// Montgomery's reduction bring a sum below 2^109 under Q + 2^6; the factor
// 2^-104 that they leave does not change what divides it.
// Lanes of `alive` that a prime divides become zero.
PAIRMINT_INLINE Vector DivideGroup(const DivisorGroup &group,
                                   const Vector *limbs, int num_limbs,
                                   Vector alive) {
  // With at most 40 limbs, `low` stays below 2^58. A power is below 2^51, so a
  // high half is, too, and `high` with the Q that it began at stays below 41 *
  // 2^51 < 2^57. The first step leaves v < 2^57 + 2^6, the second at most Q + v
  // / 2^52 < Q + 2^6, which a limb holds as Q < 2^51; and at least 1, as the
  // multiple that is taken away has a high half below Q.
  constexpr int kRows = DivisorGroup::kRows;
  const Vector zero = _mm512_setzero_si512();
  Vector low[kRows], high[kRows];
  for (int r = 0; r < kRows; r++) {
    low[r] = Broadcast(group.offset[r]);
    high[r] = Broadcast(group.modulus[r]);
  }
  for (int i = 0; i < num_limbs; i++) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      const Vector power = Broadcast(group.powers[i][r]);
      low[r] = MulLow(low[r], limbs[i], power);
      high[r] = MulHigh(high[r], limbs[i], power);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
    const Vector modulus = Broadcast(group.modulus[r]);
    const Vector inverse = Broadcast(group.inverse[r]);
    // Subtracting the multiple of Q that has the same low limb leaves no
    // carry. `high` began at Q, so that nothing becomes negative.
    Vector quotient = MulLow(zero, low[r], inverse);
    Vector v = Add(high[r], _mm512_srli_epi64(low[r], kLimbBits));
    v = _mm512_sub_epi64(v, MulHigh(zero, quotient, modulus));
    quotient = MulLow(zero, v, inverse);
    v = Add(modulus, _mm512_srli_epi64(v, kLimbBits));
    low[r] = _mm512_sub_epi64(v, MulHigh(zero, quotient, modulus));
  }
  __mmask8 undivided = _mm512_test_epi64_mask(alive, alive);
  for (size_t i = 0; i < group.num_primes; i++) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      // v < 2^52 is a multiple of an odd q exactly when v / q mod 2^52 is at
      // most (2^52 - 1) / q.
      const Vector v =
          MulLow(zero, low[r], Broadcast(group.prime_inverses[i][r]));
      undivided = _mm512_mask_cmpgt_epu64_mask(undivided, v,
                                               Broadcast(group.limits[i][r]));
    }
  }
  return _mm512_maskz_mov_epi64(undivided, alive);
}

bool FermatBase2Any(int bits, int, const Numbers &n, uint8_t *workspace,
                    Verdicts *out) {
  auto *w = reinterpret_cast<Workspace *>(workspace);
  // The narrowest block count with R > 2^8 n.
  if (bits <= 1032) {
    FermatBase2<2>(bits, n, w, out);
  } else if (bits <= 1552) {
    FermatBase2<3>(bits, n, w, out);
  } else {
    FermatBase2<4>(bits, n, w, out);
  }
  return true;
}

bool ModExpAny(int bits, int, const Numbers &n, const Numbers &base,
               const Numbers &exponent, int exponent_bits, uint8_t *workspace,
               Numbers *out) {
  auto *w = reinterpret_cast<Workspace *>(workspace);
  if (bits <= 1032) {
    ModExp<2>(bits, n, base, exponent, exponent_bits, w, out);
  } else if (bits <= 1552) {
    ModExp<3>(bits, n, base, exponent, exponent_bits, w, out);
  } else {
    ModExp<4>(bits, n, base, exponent, exponent_bits, w, out);
  }
  return true;
}

bool Divide(int bits, const DivisorGroup *groups, size_t num_groups,
            const Numbers &n, uint8_t *workspace, Verdicts *in_out) {
  auto *w = reinterpret_cast<Workspace *>(workspace);
  const int num_limbs = (bits + kLimbBits - 1) / kLimbBits;
  LoadLimbs(n, num_limbs, w->x);
  Vector alive = _mm512_loadu_si512(in_out->lanes);
  for (size_t i = 0; i < num_groups; i++) {
    alive = DivideGroup(groups[i], w->x, num_limbs, alive);
  }
  _mm512_storeu_si512(in_out->lanes, alive);
  return true;
}

// R > 2^8 n holds for 52 L = 1040, 1560 and 2080 up to the bounds used above.
// Below 1024 bits nothing is minted, and c would have too few bits.
constexpr Kernel kKernel = {
    "avx512ifma",      1024,           2072,      kLanes,
    sizeof(Workspace), FermatBase2Any, ModExpAny, Divide,
};

}  // namespace

const Kernel *Avx512IfmaKernel() { return &kKernel; }

}  // namespace pairmint::mont

#else

namespace pairmint::mont {

const Kernel *Avx512IfmaKernel() { return nullptr; }

}  // namespace pairmint::mont

#endif
