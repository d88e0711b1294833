// Eight points of a curve at a time, one in each 64-bit lane, with coordinates
// in limbs of 52 bits and in Montgomery form with R = 2^(52 L).
//
// Bounds. A product of a < u p and b < v p is below (u v p / R + 1) p, and the
// sum of two products under one reduction below ((u v + u' v') p / R + 1) p.
//   - L = 8 (P-384) and L = 11 (P-521): R is above 2^31 p and 2^50 p. No sum
//     below reaches 128 p, so that every product is below 1.01 p.
//   - L = 5: R is above 16 p. Coordinates stay below 1.5 p; see Law::Sum.
// Every number is nonnegative, and its limbs are below 2^52 between operations.
//
// Nothing here depends on the numbers: no branch, no address, no mask that
// leaves the vector unit (test/native/disassembly.mjs looks at the machine
// code).
#include "ec/lanes.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && \
    defined(__AVX512IFMA__)
#if defined(__GNUC__) && !defined(__clang__)
// https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593: GCC 12 warns of the
// undefined vectors inside its own intrinsics.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

namespace pairmint::ec {
namespace {

#define PAIRMINT_INLINE inline __attribute__((always_inline))

using Vector = __m512i;

constexpr int kLimbBits = 52;
constexpr uint64_t kLimbMask = (uint64_t{1} << kLimbBits) - 1;
constexpr int kWide = kLanesWide;

PAIRMINT_INLINE Vector Broadcast(uint64_t value) {
  return _mm512_set1_epi64(static_cast<long long>(value));
}
PAIRMINT_INLINE Vector Zero() { return _mm512_setzero_si512(); }
PAIRMINT_INLINE Vector Plus(Vector a, Vector b) {
  return _mm512_add_epi64(a, b);
}
PAIRMINT_INLINE Vector Minus(Vector a, Vector b) {
  return _mm512_sub_epi64(a, b);
}
PAIRMINT_INLINE Vector Thrice(Vector a) { return Plus(Plus(a, a), a); }
PAIRMINT_INLINE Vector Low52(Vector a) {
  return _mm512_and_si512(a, Broadcast(kLimbMask));
}
// sum + the low (high) 52 bits of a * b. Both read only the low 52 bits of the
// factors.
PAIRMINT_INLINE Vector MulLow(Vector sum, Vector a, Vector b) {
  return _mm512_madd52lo_epu64(sum, a, b);
}
PAIRMINT_INLINE Vector MulHigh(Vector sum, Vector a, Vector b) {
  return _mm512_madd52hi_epu64(sum, a, b);
}

template <int L>
struct Element {
  Vector limbs[L];
};

template <int L>
struct Point {
  Element<L> X, Y, Z;
};

template <int L>
struct Affine {
  Element<L> x, y;
};

// Bits of a coordinate.
template <int L>
constexpr int kBits = L == 11  ? 521
                      : L == 8 ? 384
                               : 256;
// 64-bit words of a coordinate, and of a scalar as the contract has it.
template <int L>
constexpr int kWords = (kBits<L> + 63) / 64;
template <int L>
constexpr int kScalarWords = kWords<L> + 2;

// The constants of a curve, the same in all lanes.
template <int L>
struct Constants {
  Element<L> p;
  Element<L> complement;  // 2^256 - p; read for L = 5 only
  Element<L> one;         // R mod p
  Element<L> r_squared;
  Element<L> unit;  // 1
  Element<L> b;     // 3 b where a is 0
  Vector inverse;   // -p^-1 mod 2^52
  uint64_t p_words[kWords<L>];
};

// a[0] b[0] / R mod p, or (a[0] b[0] + a[1] b[1]) / R mod p.
template <int L, bool kAIsZero, int kProducts>
PAIRMINT_INLINE void Multiply(const Constants<L> &c,
                              const Element<L> *const (&a)[kProducts],
                              const Element<L> *const (&b)[kProducts],
                              Element<L> *out) {
  // A column takes at most six halves of products below 2^52 in each of up to
  // eleven rounds: below 2^59.
  Vector columns[L];
#pragma GCC unroll 11
  for (int j = 0; j < L; j++) {
    columns[j] = Zero();
  }
#pragma GCC unroll 11
  for (int i = 0; i < L; i++) {
#pragma GCC unroll 2
    for (int k = 0; k < kProducts; k++) {
#pragma GCC unroll 11
      for (int j = 0; j < L; j++) {
        columns[j] = MulLow(columns[j], a[k]->limbs[i], b[k]->limbs[j]);
      }
    }
    if constexpr (L == 11) {
      // p = 2^521 - 1: the quotient digit q is the column itself, and q p takes
      // the column's low 52 bits away and adds q 2^521, which is 2 q nine limbs
      // above the column that follows.
      const Vector q = Low52(columns[0]);
      const Vector carry = _mm512_srli_epi64(columns[0], kLimbBits);
#pragma GCC unroll 11
      for (int j = 0; j + 1 < L; j++) {
        columns[j] = columns[j + 1];
      }
      columns[0] = Plus(columns[0], carry);
      columns[9] = Plus(columns[9], Plus(q, q));
      columns[10] = Zero();
    } else {
      // P-256 and SM2 have p = -1 modulo 2^52. By the choice of q the column
      // and q p[0] add up to a multiple of 2^52, so that the carry is the
      // column divided by 2^52 rounded up, and waits for no product.
      const Vector q = L == 5 && !kAIsZero
                           ? columns[0]
                           : MulLow(Zero(), columns[0], c.inverse);
      Vector carry =
          _mm512_srli_epi64(Plus(columns[0], Broadcast(kLimbMask)), kLimbBits);
      carry = MulHigh(carry, q, c.p.limbs[0]);
#pragma GCC unroll 11
      for (int j = 0; j + 1 < L; j++) {
        columns[j] = MulLow(columns[j + 1], q, c.p.limbs[j + 1]);
      }
      columns[0] = Plus(columns[0], carry);
      columns[L - 1] = Zero();
#pragma GCC unroll 11
      for (int j = 1; j < L; j++) {
        columns[j] = MulHigh(columns[j], q, c.p.limbs[j]);
      }
    }
#pragma GCC unroll 2
    for (int k = 0; k < kProducts; k++) {
#pragma GCC unroll 11
      for (int j = 0; j < L; j++) {
        columns[j] = MulHigh(columns[j], a[k]->limbs[i], b[k]->limbs[j]);
      }
    }
  }
  Vector carry = Zero();
#pragma GCC unroll 11
  for (int j = 0; j < L; j++) {
    const Vector sum = Plus(columns[j], carry);
    carry = _mm512_srli_epi64(sum, kLimbBits);
    out->limbs[j] = Low52(sum);
  }
}

// Element and point arithmetic of one curve.
template <int L, bool kAIsZero>
struct Law {
  using E = Element<L>;

  const Constants<L> &c;

  [[gnu::noinline]] static void Product(const Constants<L> &c, const E &a,
                                        const E &b, E *out) {
    Multiply<L, kAIsZero, 1>(c, {&a}, {&b}, out);
  }
  [[gnu::noinline]] static void TwoProducts(const Constants<L> &c, const E &a,
                                            const E &b, const E &a2,
                                            const E &b2, E *out) {
    Multiply<L, kAIsZero, 2>(c, {&a, &a2}, {&b, &b2}, out);
  }
  // out may be a factor: it is written when all factors have been read.
  void Times(const E &a, const E &b, E *out) const { Product(c, a, b, out); }
  // out = (a b + a2 b2) / R.
  void Times(const E &a, const E &b, const E &a2, const E &b2, E *out) const {
    TwoProducts(c, a, b, a2, b2, out);
  }

  // out = the number whose limbs are limb(0), limb(1) and so on, which may be
  // negative or above 2^52, but not above 2^58. The number must not be
  // negative, nor need more than 52 L bits.
  template <typename Limb>
  PAIRMINT_INLINE void Sum(Limb limb, E *out) const {
    Vector carry = Zero();
#pragma GCC unroll 11
    for (int j = 0; j < L; j++) {
      const Vector sum = Plus(limb(j), carry);
      carry = _mm512_srai_epi64(sum, kLimbBits);
      out->limbs[j] = Low52(sum);
    }
  }

  // The same, and for L = 5 less a multiple of p, so that the result is below
  // 1.01 p. The number must be from 2 p to 64 p.
  template <typename Limb>
  PAIRMINT_INLINE void ReducedSum(Limb limb, E *out) const {
    if constexpr (L != 5) {
      Sum(limb, out);
    } else {
      // q is the number divided by 2^256, from the two highest limbs. These are
      // at most 1 too high, in units of 2^208, because what lies below them is
      // above -2^208: with the 1 taken away, q is at most the quotient and at
      // least the quotient - 1 - 2^-47. So number - q 2^256 is in [0, 2^256 (1
      // + 2^-46)), and q (2^256 - p), with q below 64 and p above 2^256 -
      // 2^225, adds less than 2^231.
      const Vector high = Plus(limb(4), _mm512_srai_epi64(limb(3), kLimbBits));
      const Vector q = _mm512_srai_epi64(Minus(high, Broadcast(1)), 48);
      Vector carry = Zero();
#pragma GCC unroll 5
      for (int j = 0; j < L; j++) {
        Vector sum = Plus(limb(j), carry);
        sum = MulLow(sum, q, c.complement.limbs[j]);
        if (j > 0) {
          sum = MulHigh(sum, q, c.complement.limbs[j - 1]);
        }
        if (j == 4) {
          sum = Minus(sum, _mm512_slli_epi64(q, 48));
        }
        carry = _mm512_srai_epi64(sum, kLimbBits);
        out->limbs[j] = Low52(sum);
      }
    }
  }

  // Limb j of 2^shift p.
  [[nodiscard]] PAIRMINT_INLINE Vector P(int j, int shift) const {
    return _mm512_slli_epi64(c.p.limbs[j], shift);
  }

  PAIRMINT_INLINE void Add(const E &a, const E &b, E *out) const {
    Sum([&](int j) { return Plus(a.limbs[j], b.limbs[j]); }, out);
  }

  // Renes, Costello, Batina (https://eprint.iacr.org/2015/1060): complete on a
  // curve of prime order. The products of sums are kept in pairs under one
  // reduction.
  //
  // For L = 5, in units of p: coordinates are below 1.5, those of a table and b
  // below 1.1, and what goes through ReducedSum below 1.01. So xx, yy and zz
  // are below 1.15 (zz is below 1.5 where Z = 1), the product in Mixed below 9
  // / 16 + 1, xy below 1.01, yz and xz below 2.61, bzz and bxz below 1.18, up,
  // where a is 0, below 2.26, and minus_yz at most 4. The largest result is
  // then Z where a is 0: (2.26 2.61 + 1.01 1.01) / 16 + 1 < 1.5.
  //
  // out may be a or b.
  [[gnu::noinline]] void Sum(const Point<L> &a, const Point<L> &b,
                             Point<L> *out) const {
    E xx, yy, zz, xy, yz, xz;
    Times(a.X, b.X, &xx);
    Times(a.Y, b.Y, &yy);
    Times(a.Z, b.Z, &zz);
    Mixed(a.X, a.Y, b.X, b.Y, xx, yy, &xy);
    Mixed(a.Y, a.Z, b.Y, b.Z, yy, zz, &yz);
    Mixed(a.X, a.Z, b.X, b.Z, xx, zz, &xz);
    Finish(xx, yy, zz, xy, yz, xz, out);
  }

  // The same for a point with Z = 1, which is not infinity.
  [[gnu::noinline]] void Sum(const Point<L> &a, const Affine<L> &b,
                             Point<L> *out) const {
    E xx, yy, xy, yz, xz;
    Times(a.X, b.x, &xx);
    Times(a.Y, b.y, &yy);
    Mixed(a.X, a.Y, b.x, b.y, xx, yy, &xy);
    Times(b.y, a.Z, &yz);
    Add(yz, a.Y, &yz);
    Times(b.x, a.Z, &xz);
    Add(xz, a.X, &xz);
    const E zz = a.Z;
    Finish(xx, yy, zz, xy, yz, xz, out);
  }

  // a1 b2 + a2 b1 = (a1 + a2) (b1 + b2) - a1 b1 - a2 b2, reduced.
  PAIRMINT_INLINE void Mixed(const E &a1, const E &a2, const E &b1, const E &b2,
                             const E &first, const E &second, E *out) const {
    E a, b, product;
    Add(a1, a2, &a);
    Add(b1, b2, &b);
    Times(a, b, &product);
    ReducedSum(
        [&](int j) {
          return Plus(
              Minus(product.limbs[j], Plus(first.limbs[j], second.limbs[j])),
              P(j, 3));
        },
        out);
  }

  PAIRMINT_INLINE void Finish(const E &xx, const E &yy, const E &zz,
                              const E &xy, const E &yz, const E &xz,
                              Point<L> *out) const {
    E bzz, bxz;
    Times(c.b, zz, &bzz);
    Times(c.b, xz, &bxz);
    E up, down, v, w, minus_yz;
    // What is taken away below is less than 2^kAbove p: for L = 5 at most 15 p,
    // elsewhere, where xy, yz and xz are up to 10 p, at most 34 p.
    constexpr int kAbove = L == 5 ? 5 : 6;
    Sum([&](int j) { return Minus(P(j, L == 5 ? 2 : 6), yz.limbs[j]); },
        &minus_yz);
    if constexpr (kAIsZero) {
      // Algorithms 7 and 8; b is 3 b.
      Add(yy, bzz, &up);
      ReducedSum(
          [&](int j) {
            return Plus(Minus(yy.limbs[j], bzz.limbs[j]), P(j, kAbove));
          },
          &down);
      ReducedSum([&](int j) { return Plus(Thrice(xx.limbs[j]), P(j, kAbove)); },
                 &w);
      Times(xy, down, minus_yz, bxz, &out->X);
      Times(down, up, bxz, w, &out->Y);
      Times(up, yz, w, xy, &out->Z);
    } else {
      // Algorithms 4 and 5.
      const auto u = [&](int j) {
        return Thrice(Minus(xz.limbs[j], bzz.limbs[j]));
      };
      ReducedSum(
          [&](int j) { return Plus(Plus(yy.limbs[j], u(j)), P(j, kAbove)); },
          &up);
      ReducedSum(
          [&](int j) { return Plus(Minus(yy.limbs[j], u(j)), P(j, kAbove)); },
          &down);
      ReducedSum(
          [&](int j) {
            return Plus(Thrice(Minus(Minus(bxz.limbs[j], xx.limbs[j]),
                                     Thrice(zz.limbs[j]))),
                        P(j, kAbove));
          },
          &v);
      ReducedSum(
          [&](int j) {
            return Plus(Thrice(Minus(xx.limbs[j], zz.limbs[j])), P(j, kAbove));
          },
          &w);
      Times(xy, up, minus_yz, v, &out->X);
      Times(up, down, w, v, &out->Y);
      Times(yz, down, xy, w, &out->Z);
    }
  }

  // out = in the lanes of `where` -a, elsewhere a; a < 2 p.
  PAIRMINT_INLINE void Negate(__mmask8 where, const E &a, E *out) const {
    Sum(
        [&](int j) {
          return _mm512_mask_sub_epi64(a.limbs[j], where, P(j, 1), a.limbs[j]);
        },
        out);
  }

  void SetInfinity(Point<L> *out) const {
    for (int j = 0; j < L; j++) {
      out->X.limbs[j] = Zero();
      out->Z.limbs[j] = Zero();
    }
    out->Y = c.one;
  }
};

template <int L>
PAIRMINT_INLINE void Choose(__mmask8 where, const Element<L> &a,
                            Element<L> *in_out) {
#pragma GCC unroll 11
  for (int j = 0; j < L; j++) {
    in_out->limbs[j] =
        _mm512_mask_mov_epi64(in_out->limbs[j], where, a.limbs[j]);
  }
}

template <int L>
PAIRMINT_INLINE void Choose(__mmask8 where, const Point<L> &a,
                            Point<L> *in_out) {
  Choose(where, a.X, &in_out->X);
  Choose(where, a.Y, &in_out->Y);
  Choose(where, a.Z, &in_out->Z);
}

// out = eight numbers of kWords words, `stride` words apart.
template <int L>
void LoadLimbs(const uint64_t *words, int stride, Element<L> *out) {
  const Vector lanes = _mm512_mullo_epi64(
      _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), Broadcast(stride));
#pragma GCC unroll 11
  for (int j = 0; j < L; j++) {
    const int low = kLimbBits * j;
    const int word = low / 64;
    const int at = low % 64;
    Vector limb = Zero();
    if (word < kWords<L>) {
      limb =
          _mm512_srli_epi64(_mm512_i64gather_epi64(lanes, words + word, 8), at);
    }
    if (at > 64 - kLimbBits && word + 1 < kWords<L>) {
      limb = _mm512_or_si512(
          limb,
          _mm512_slli_epi64(_mm512_i64gather_epi64(lanes, words + word + 1, 8),
                            64 - at));
    }
    out->limbs[j] = Low52(limb);
  }
}

// Writes eight numbers of kWords words, `stride` words apart.
template <int L>
void StoreWords(const Element<L> &in, int stride, uint64_t *words) {
  const Vector lanes = _mm512_mullo_epi64(
      _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), Broadcast(stride));
#pragma GCC unroll 9
  for (int w = 0; w < kWords<L>; w++) {
    const int i = 64 * w / kLimbBits;
    const int at = 64 * w % kLimbBits;
    Vector word = _mm512_srli_epi64(in.limbs[i], at);
    if (i + 1 < L) {
      word = _mm512_or_si512(
          word, _mm512_slli_epi64(in.limbs[i + 1], kLimbBits - at));
    }
    if (i + 2 < L && 2 * kLimbBits - at < 64) {
      word = _mm512_or_si512(
          word, _mm512_slli_epi64(in.limbs[i + 2], 2 * kLimbBits - at));
    }
    _mm512_i64scatter_epi64(words + w, lanes, word, 8);
  }
}

// Writes the points of all lanes as the contract has them.
template <int L, bool kAIsZero>
void StorePoints(const Law<L, kAIsZero> &law, const Point<L> &in,
                 uint64_t *out) {
  // Times 1 / R: below (1.5 p + R p) / R, that is at most p. That the
  // coordinates leave Montgomery's form changes neither X / Z nor Y / Z.
  constexpr int kStride = 3 * kWords<L>;
  Element<L> plain;
  law.Times(in.X, law.c.unit, &plain);
  StoreWords<L>(plain, kStride, out);
  law.Times(in.Y, law.c.unit, &plain);
  StoreWords<L>(plain, kStride, out + kWords<L>);
  law.Times(in.Z, law.c.unit, &plain);
  StoreWords<L>(plain, kStride, out + 2 * kWords<L>);
}

// A table of one of the two kinds: the multiples 1 to kMultiples of 2^(kWindow
// w) times the generator for every window w. Windows 8 i to 8 i + 7 lie side by
// side, so that lanes which work on a window each load a vector, and lanes that
// work on the same window one word for all.
template <int L, int kWindow>
struct Windows {
  // A digit of -2^(kWindow - 1) to 2^(kWindow - 1) for each window, of a number
  // that has one bit more than a scalar: the top window has no carry.
  static constexpr int kCount = (kBits<L> + kWindow) / kWindow;
  static constexpr int kSteps = (kCount + kWide - 1) / kWide;
  static constexpr int kMultiples = 1 << (kWindow - 1);

  Affine<L> points[kSteps][kMultiples];
};

template <int L>
struct Table {
  Constants<L> constants;
  Windows<L, 5> five;
  Windows<L, 4> four;
};

// Booth's digit of a window of kWindow bits and the bit below, as in comb.cc.
struct Digit {
  __mmask8 is_negative;
  Vector magnitude;
};

template <int kWindow>
PAIRMINT_INLINE Digit DigitOf(Vector bits) {
  constexpr uint64_t kMask = (uint64_t{2} << kWindow) - 1;
  const __mmask8 is_negative =
      _mm512_test_epi64_mask(bits, Broadcast(uint64_t{1} << kWindow));
  const Vector magnitude = _mm512_and_si512(
      _mm512_mask_xor_epi64(bits, is_negative, bits, Broadcast(~uint64_t{0})),
      Broadcast(kMask));
  return {is_negative, _mm512_srli_epi64(Plus(magnitude, Broadcast(1)), 1)};
}

// Adds the digit times a point of its window, of which `found` is the digit's
// magnitude, to the sum. For a digit 0, whose `found` is no point, the sum
// stays.
template <int L, bool kAIsZero>
PAIRMINT_INLINE void AddDigit(const Law<L, kAIsZero> &law, const Digit &digit,
                              Affine<L> *found, Point<L> *sum) {
  law.Negate(digit.is_negative, found->y, &found->y);
  Point<L> next;
  law.Sum(*sum, *found, &next);
  Choose(_mm512_test_epi64_mask(digit.magnitude, digit.magnitude), next, sum);
}

// What multiplications work in.
template <int L>
struct Multiplication {
  Point<L> sum, other;
  Affine<L> found;
  Vector words[kScalarWords<L>];
  uint64_t all[kWide * 3 * kWords<L>];
};

template <int L, bool kAIsZero>
void MultiplyEach(const void *memory, const uint64_t *scalars, void *workspace,
                  uint64_t *out) {
  using W = Windows<L, 5>;
  const auto &table = *static_cast<const Table<L> *>(memory);
  const Law<L, kAIsZero> law = {table.constants};
  auto &room = *static_cast<Multiplication<L> *>(workspace);
  const Vector lanes = _mm512_mullo_epi64(
      _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), Broadcast(kScalarWords<L>));
  for (int w = 0; w < kScalarWords<L>; w++) {
    room.words[w] = _mm512_i64gather_epi64(lanes, scalars + w, 8);
  }
  law.SetInfinity(&room.sum);
  for (int w = 0; w < W::kCount; w++) {
    const int low = 5 * w;
    const Vector bits = _mm512_or_si512(
        _mm512_srl_epi64(room.words[low / 64], _mm_cvtsi32_si128(low % 64)),
        // A count of 64 gives 0.
        _mm512_sll_epi64(room.words[low / 64 + 1],
                         _mm_cvtsi32_si128(64 - low % 64)));
    const Digit digit = DigitOf<5>(bits);
    // One word of each vector of the table is this window's.
    const auto *words =
        reinterpret_cast<const uint64_t *>(&table.five.points[w / kWide][0]) +
        w % kWide;
    Vector found[2 * L];
#pragma GCC unroll 22
    for (int j = 0; j < 2 * L; j++) {
      found[j] = Zero();
    }
    for (int e = 0; e < W::kMultiples; e++, words += kWide * 2 * L) {
      const __mmask8 here =
          _mm512_cmpeq_epi64_mask(digit.magnitude, Broadcast(e + 1));
#pragma GCC unroll 22
      for (int j = 0; j < 2 * L; j++) {
        found[j] =
            _mm512_mask_mov_epi64(found[j], here, Broadcast(words[kWide * j]));
      }
    }
#pragma GCC unroll 11
    for (int j = 0; j < L; j++) {
      room.found.x.limbs[j] = found[j];
      room.found.y.limbs[j] = found[L + j];
    }
    AddDigit(law, digit, &room.found, &room.sum);
  }
  StorePoints(law, room.sum, out);
}

// Adds up the points of all lanes, in each of them.
template <int L, bool kAIsZero>
void Join(const Law<L, kAIsZero> &law, Point<L> *other, Point<L> *sum) {
  for (int half = kWide / 2; half > 0; half /= 2) {
    const Vector from = _mm512_and_si512(
        Plus(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), Broadcast(half)),
        Broadcast(kWide - 1));
    for (int j = 0; j < L; j++) {
      other->X.limbs[j] = _mm512_permutexvar_epi64(from, sum->X.limbs[j]);
      other->Y.limbs[j] = _mm512_permutexvar_epi64(from, sum->Y.limbs[j]);
      other->Z.limbs[j] = _mm512_permutexvar_epi64(from, sum->Z.limbs[j]);
    }
    law.Sum(*sum, *other, sum);
  }
}

// Writes the point of lane 0.
template <int L, bool kAIsZero>
void StoreOne(const Law<L, kAIsZero> &law, const Point<L> &in, uint64_t *all,
              uint64_t *out) {
  StorePoints(law, in, all);
  for (int w = 0; w < 3 * kWords<L>; w++) {
    out[w] = all[w];
  }
}

template <int L, bool kAIsZero, int kWindow>
void SplitOver(const Table<L> &table, const Windows<L, kWindow> &windows,
               const uint64_t *scalar, void *workspace, uint64_t *out) {
  using W = Windows<L, kWindow>;
  const Law<L, kAIsZero> law = {table.constants};
  auto &room = *static_cast<Multiplication<L> *>(workspace);
  law.SetInfinity(&room.sum);
  // Where the window of each lane begins; all windows end below the last word.
  Vector low = _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7),
                                  Broadcast(kWindow));
  static_assert(kWindow * kWide * W::kSteps + 1 <= 64 * (kScalarWords<L> - 1));
  for (int i = 0; i < W::kSteps; i++) {
    const Vector word = _mm512_srli_epi64(low, 6);
    const Vector at = _mm512_and_si512(low, Broadcast(63));
    const Vector bits = _mm512_or_si512(
        _mm512_srlv_epi64(_mm512_i64gather_epi64(word, scalar, 8), at),
        _mm512_sllv_epi64(_mm512_i64gather_epi64(word, scalar + 1, 8),
                          Minus(Broadcast(64), at)));
    const Digit digit = DigitOf<kWindow>(bits);
    Vector found[2 * L];
#pragma GCC unroll 22
    for (int j = 0; j < 2 * L; j++) {
      found[j] = Zero();
    }
    for (int e = 0; e < W::kMultiples; e++) {
      const __mmask8 here =
          _mm512_cmpeq_epi64_mask(digit.magnitude, Broadcast(e + 1));
      const Affine<L> &multiple = windows.points[i][e];
#pragma GCC unroll 11
      for (int j = 0; j < L; j++) {
        found[j] = _mm512_mask_mov_epi64(found[j], here, multiple.x.limbs[j]);
        found[L + j] =
            _mm512_mask_mov_epi64(found[L + j], here, multiple.y.limbs[j]);
      }
    }
#pragma GCC unroll 11
    for (int j = 0; j < L; j++) {
      room.found.x.limbs[j] = found[j];
      room.found.y.limbs[j] = found[L + j];
    }
    AddDigit(law, digit, &room.found, &room.sum);
    low = Plus(low, Broadcast(kWindow * kWide));
  }
  Join(law, &room.other, &room.sum);
  StoreOne(law, room.sum, room.all, out);
}

template <int L, bool kAIsZero>
void MultiplySplit(const void *memory, LanesTable which, const uint64_t *scalar,
                   void *workspace, uint64_t *out) {
  const auto &table = *static_cast<const Table<L> *>(memory);
  if (which == LanesTable::kFiveBits) {
    SplitOver<L, kAIsZero, 5>(table, table.five, scalar, workspace, out);
  } else {
    SplitOver<L, kAIsZero, 4>(table, table.four, scalar, workspace, out);
  }
}

// The factors are cut into digits of -8 to 8, like scalars.
constexpr int kFactorWindow = 4;
constexpr int kFactorMultiples = 1 << (kFactorWindow - 1);
constexpr int kFactorWindows =
    (64 * kFactorWords + kFactorWindow) / kFactorWindow;

// What `combine` works in.
template <int L>
struct Combination {
  Point<L> sum, found;
  Point<L> multiples[kMaxCombined / kWide][kFactorMultiples];
  // Twice the factors, one lane each.
  Vector factors[kMaxCombined / kWide][kFactorWords + 2];
  uint64_t points[kWide * 2 * kWords<L>];
  uint64_t all[kWide * 3 * kWords<L>];
};

// Takes `count` points, at most eight, and their factors. A lane without a
// point gets the factor 0.
template <int L, bool kAIsZero>
void TakePoints(const Law<L, kAIsZero> &law, int group, int count,
                const uint64_t *factors, const uint64_t *points,
                Combination<L> *room) {
  constexpr int kPoint = 2 * kWords<L>;
  uint64_t doubled[kFactorWords + 2][kWide] = {};
  for (int i = 0; i < kWide; i++) {
    for (int w = 0; w < kPoint; w++) {
      room->points[i * kPoint + w] = i < count ? points[i * kPoint + w] : 0;
    }
    for (int w = 0; i < count && w < static_cast<int>(kFactorWords); w++) {
      const uint64_t word = factors[i * kFactorWords + w];
      doubled[w][i] |= word << 1;
      doubled[w + 1][i] = word >> 63;
    }
  }
  for (int w = 0; w < static_cast<int>(kFactorWords) + 2; w++) {
    room->factors[group][w] = _mm512_loadu_si512(doubled[w]);
  }
  Point<L> *multiples = room->multiples[group];
  Element<L> plain;
  LoadLimbs<L>(room->points, kPoint, &plain);
  law.Times(plain, law.c.r_squared, &multiples[0].X);
  LoadLimbs<L>(room->points + kWords<L>, kPoint, &plain);
  law.Times(plain, law.c.r_squared, &multiples[0].Y);
  multiples[0].Z = law.c.one;
  for (int e = 1; e < kFactorMultiples; e++) {
    law.Sum(multiples[e - 1], multiples[0], &multiples[e]);
  }
}

template <int L, bool kAIsZero>
void Combine(const void *memory, size_t count, const uint64_t *factors,
             const uint64_t *points, void *workspace, uint64_t *out) {
  const auto &table = *static_cast<const Table<L> *>(memory);
  const Law<L, kAIsZero> law = {table.constants};
  auto *room = static_cast<Combination<L> *>(workspace);
  const int total = static_cast<int>(count);
  int groups = 0;
  for (; groups * kWide < total; groups++) {
    const int at = groups * kWide;
    TakePoints(law, groups, total - at < kWide ? total - at : kWide,
               factors + at * kFactorWords, points + at * 2 * kWords<L>, room);
  }
  law.SetInfinity(&room->sum);
  for (int w = kFactorWindows - 1; w >= 0; w--) {
    for (int i = 0; i < kFactorWindow; i++) {
      law.Sum(room->sum, room->sum, &room->sum);
    }
    const int low = kFactorWindow * w;
    for (int group = 0; group < groups; group++) {
      const Vector *words = room->factors[group];
      const Digit digit = DigitOf<kFactorWindow>(_mm512_or_si512(
          _mm512_srl_epi64(words[low / 64], _mm_cvtsi32_si128(low % 64)),
          _mm512_sll_epi64(words[low / 64 + 1],
                           _mm_cvtsi32_si128(64 - low % 64))));
      law.SetInfinity(&room->found);
      for (int e = 0; e < kFactorMultiples; e++) {
        Choose(_mm512_cmpeq_epi64_mask(digit.magnitude, Broadcast(e + 1)),
               room->multiples[group][e], &room->found);
      }
      law.Negate(digit.is_negative, room->found.Y, &room->found.Y);
      law.Sum(room->sum, room->found, &room->sum);
    }
  }
  Join(law, &room->found, &room->sum);
  StoreOne(law, room->sum, room->all, out);
}

// out = a^(p - 2), for what is public.
template <int L, bool kAIsZero>
void InvertPublic(const Law<L, kAIsZero> &law, const Element<L> &a,
                  Element<L> *out) {
  // p is odd and above 2: only its lowest word changes.
  *out = law.c.one;
  for (int bit = kBits<L> - 1; bit >= 0; bit--) {
    const uint64_t word =
        law.c.p_words[bit / 64] - (bit < 64 ? uint64_t{2} : uint64_t{0});
    law.Times(*out, *out, out);
    if ((word >> (bit % 64) & 1) != 0) {
      law.Times(*out, a, out);
    }
  }
}

template <int L>
struct FillRoom {
  // The longer of the two tables has 16 multiples in each step.
  static constexpr int kMax = Windows<L, 5>::kSteps * Windows<L, 5>::kMultiples;
  static_assert(Windows<L, 4>::kSteps * Windows<L, 4>::kMultiples <= kMax);

  Point<L> base, twice;
  Point<L> points[kMax];
  Element<L> products[kMax];
};

template <int L, bool kAIsZero, int kWindow>
void FillWindows(const Law<L, kAIsZero> &law, const Affine<L> &generator,
                 FillRoom<L> *room, Windows<L, kWindow> *out) {
  using W = Windows<L, kWindow>;
  constexpr int kPoints = W::kSteps * W::kMultiples;
  // Lane j begins at 2^(kWindow j) times the generator. None of the multiples
  // has a large prime factor: no point is infinity.
  Point<L> &base = room->base;
  base = {generator.x, generator.y, law.c.one};
  for (int i = 1; i <= kWindow * (kWide - 1); i++) {
    law.Sum(base, base, &room->twice);
    const unsigned lanes = 0xffu << ((i + kWindow - 1) / kWindow);
    Choose(static_cast<__mmask8>(lanes), room->twice, &base);
  }
  for (int i = 0; i < W::kSteps; i++) {
    Point<L> *multiples = room->points + i * W::kMultiples;
    multiples[0] = base;
    for (int e = 1; e < W::kMultiples; e++) {
      law.Sum(multiples[e - 1], base, &multiples[e]);
    }
    for (int k = 0; k < kWindow * kWide; k++) {
      law.Sum(base, base, &base);
    }
  }
  // One inversion for all points of a lane (Montgomery's trick).
  Element<L> product = law.c.one;
  for (int i = 0; i < kPoints; i++) {
    room->products[i] = product;
    law.Times(product, room->points[i].Z, &product);
  }
  Element<L> inverse;
  InvertPublic(law, product, &inverse);
  for (int i = kPoints - 1; i >= 0; i--) {
    const Point<L> &point = room->points[i];
    Element<L> z;
    law.Times(inverse, room->products[i], &z);
    law.Times(inverse, point.Z, &inverse);
    Affine<L> &affine = out->points[i / W::kMultiples][i % W::kMultiples];
    law.Times(point.X, z, &affine.x);
    law.Times(point.Y, z, &affine.y);
  }
}

// x = 2 x mod p, for what is public and below p.
template <int L>
void DoubleOnce(const Element<L> &p, Element<L> *x) {
  Element<L> reduced;
  Vector carry = Zero();
  Vector borrow = Zero();
  for (int j = 0; j < L; j++) {
    const Vector twice = Plus(Plus(x->limbs[j], x->limbs[j]), carry);
    carry = _mm512_srli_epi64(twice, kLimbBits);
    x->limbs[j] = Low52(twice);
    const Vector difference = Plus(Minus(x->limbs[j], p.limbs[j]), borrow);
    borrow = _mm512_srai_epi64(difference, kLimbBits);
    reduced.limbs[j] = Low52(difference);
  }
  Choose(_mm512_cmpeq_epi64_mask(borrow, Zero()), reduced, x);
}

template <int L, bool kAIsZero>
void Fill(const CombCurve &curve, void *workspace, void *memory) {
  auto *table = static_cast<Table<L> *>(memory);
  auto *room = static_cast<FillRoom<L> *>(workspace);
  Constants<L> &c = table->constants;
  for (int w = 0; w < kWords<L>; w++) {
    c.p_words[w] = curve.p[w];
  }
  LoadLimbs<L>(curve.p, 0, &c.p);
  // Newton's iteration: p is its own inverse mod 8, and each step doubles the
  // number of right bits.
  uint64_t inverse = curve.p[0];
  for (int bits = 3; bits < 64; bits *= 2) {
    inverse *= 2 - curve.p[0] * inverse;
  }
  c.inverse = Broadcast(-inverse & kLimbMask);
  Vector borrow = Zero();
  for (int j = 0; j < L; j++) {
    const Vector power = Broadcast(j == 4 ? uint64_t{1} << 48 : 0);
    const Vector difference = Plus(Minus(power, c.p.limbs[j]), borrow);
    borrow = _mm512_srai_epi64(difference, kLimbBits);
    c.complement.limbs[j] = Low52(difference);
    c.unit.limbs[j] = Broadcast(j == 0 ? 1 : 0);
  }
  // R and R^2 are 1 doubled 52 L and 104 L times.
  Element<L> power = c.unit;
  for (int i = 0; i < 2 * kLimbBits * L; i++) {
    if (i == kLimbBits * L) {
      c.one = power;
    }
    DoubleOnce(c.p, &power);
  }
  c.r_squared = power;
  const Law<L, kAIsZero> law = {c};
  Element<L> plain;
  Affine<L> generator;
  LoadLimbs<L>(curve.b, 0, &plain);
  if constexpr (kAIsZero) {
    law.Times(plain, c.r_squared, &plain);
    law.ReducedSum(
        [&](int j) { return Plus(Thrice(plain.limbs[j]), law.P(j, 1)); }, &c.b);
  } else {
    law.Times(plain, c.r_squared, &c.b);
  }
  LoadLimbs<L>(curve.x, 0, &plain);
  law.Times(plain, c.r_squared, &generator.x);
  LoadLimbs<L>(curve.y, 0, &plain);
  law.Times(plain, c.r_squared, &generator.y);
  FillWindows(law, generator, room, &table->five);
  FillWindows(law, generator, room, &table->four);
}

template <int L, bool kAIsZero>
constexpr Lanes Row() {
  return {kWords<L>,
          kAIsZero,
          sizeof(Table<L>),
          sizeof(FillRoom<L>),
          sizeof(Multiplication<L>),
          sizeof(Combination<L>),
          Fill<L, kAIsZero>,
          MultiplyEach<L, kAIsZero>,
          MultiplySplit<L, kAIsZero>,
          Combine<L, kAIsZero>};
}

// secp256k1; P-256 and SM2; P-384; P-521.
constexpr Lanes kLanes[] = {Row<5, true>(), Row<5, false>(), Row<8, false>(),
                            Row<11, false>()};

}  // namespace

const Lanes *FindLanes(size_t num_limbs, bool a_is_zero) {
  for (const Lanes &lanes : kLanes) {
    if (lanes.num_limbs == num_limbs && lanes.a_is_zero == a_is_zero) {
      return &lanes;
    }
  }
  return nullptr;
}

}  // namespace pairmint::ec

#else

namespace pairmint::ec {

const Lanes *FindLanes(size_t, bool) { return nullptr; }

}  // namespace pairmint::ec

#endif
