#ifndef NATIVE_EC_LANES_FIELD_H_
#define NATIVE_EC_LANES_FIELD_H_

// Arithmetic modulo a prime p on eight numbers at a time, one in each 64-bit
// lane, in limbs of 52 bits and in Montgomery form with R = 2^(52 L). Only
// files that are compiled for AVX-512 IFMA may include it.
//
// Bounds. A product of a < u p and b < v p is below (u v p / R + 1) p, and the
// sum of two products under one reduction below ((u v + u' v') p / R + 1) p.
//   - L = 8 (P-384) and L = 11 (P-521): R is above 2^31 p and 2^50 p. Of
//     factors below 128 p, every product is below 1.01 p.
//   - L = 5: R is above 16 p.
// Every number is nonnegative, and its limbs are below 2^52 between operations.
//
// Nothing here depends on the numbers: no branch, no address, no mask that
// leaves the vector unit (test/native/disassembly.mjs looks at the machine
// code). What is called public may.

#if defined(__GNUC__) && !defined(__clang__)
// https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593: GCC 12 warns of the
// undefined vectors inside its own intrinsics.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace pairmint::ec::lanes {
// Each file has functions of its own: of those that others may replace, the
// compiler would have to take it that they change all registers.
namespace {

#define PAIRMINT_INLINE inline __attribute__((always_inline))

using Vector = __m512i;

constexpr int kLimbBits = 52;
constexpr uint64_t kLimbMask = (uint64_t{1} << kLimbBits) - 1;
constexpr int kWide = 8;

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

// What multiplication makes use of in p.
enum class Shape {
  kAny,
  kMinusOne,  // p = -1 modulo 2^52
  kP521       // p = 2^521 - 1
};

// Bits of p.
template <int L>
constexpr int kBits = L == 11  ? 521
                      : L == 8 ? 384
                               : 256;
// 64-bit words of a number.
template <int L>
constexpr int kWords = (kBits<L> + 63) / 64;

// p and what follows from it, the same in all lanes.
template <int L>
struct Modulus {
  Element<L> p;
  Element<L> complement;  // 2^256 - p; read for L = 5 only
  Element<L> one;         // R mod p
  Element<L> r_squared;
  Element<L> unit;  // 1
  Vector inverse;   // -p^-1 mod 2^52
  uint64_t words[kWords<L>];
};

// a[0] b[0] / R mod p, or (a[0] b[0] + a[1] b[1]) / R mod p.
template <int L, Shape kShape, int kProducts>
PAIRMINT_INLINE void Multiply(const Modulus<L> &m,
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
    if constexpr (kShape == Shape::kP521) {
      // The quotient digit q is the column itself, and q p takes
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
      // By the choice of q the column and q p[0] add up to a multiple of 2^52,
      // so that the carry is the column divided by 2^52 rounded up, and waits
      // for no product.
      const Vector q = kShape == Shape::kMinusOne
                           ? columns[0]
                           : MulLow(Zero(), columns[0], m.inverse);
      Vector carry =
          _mm512_srli_epi64(Plus(columns[0], Broadcast(kLimbMask)), kLimbBits);
      carry = MulHigh(carry, q, m.p.limbs[0]);
#pragma GCC unroll 11
      for (int j = 0; j + 1 < L; j++) {
        columns[j] = MulLow(columns[j + 1], q, m.p.limbs[j + 1]);
      }
      columns[0] = Plus(columns[0], carry);
      columns[L - 1] = Zero();
#pragma GCC unroll 11
      for (int j = 1; j < L; j++) {
        columns[j] = MulHigh(columns[j], q, m.p.limbs[j]);
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

// Numbers modulo p.
template <int L, Shape kShape>
struct Field {
  using E = Element<L>;

  const Modulus<L> &m;

  [[gnu::noinline]] static void Product(const Modulus<L> &m, const E &a,
                                        const E &b, E *out) {
    Multiply<L, kShape, 1>(m, {&a}, {&b}, out);
  }
  [[gnu::noinline]] static void TwoProducts(const Modulus<L> &m, const E &a,
                                            const E &b, const E &a2,
                                            const E &b2, E *out) {
    Multiply<L, kShape, 2>(m, {&a, &a2}, {&b, &b2}, out);
  }
  // out may be a factor: it is written when all factors have been read.
  PAIRMINT_INLINE void Times(const E &a, const E &b, E *out) const {
    Product(m, a, b, out);
  }
  // out = (a b + a2 b2) / R.
  PAIRMINT_INLINE void Times(const E &a, const E &b, const E &a2, const E &b2,
                             E *out) const {
    TwoProducts(m, a, b, a2, b2, out);
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
        sum = MulLow(sum, q, m.complement.limbs[j]);
        if (j > 0) {
          sum = MulHigh(sum, q, m.complement.limbs[j - 1]);
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
    return _mm512_slli_epi64(m.p.limbs[j], shift);
  }

  PAIRMINT_INLINE void Add(const E &a, const E &b, E *out) const {
    Sum([&](int j) { return Plus(a.limbs[j], b.limbs[j]); }, out);
  }

  // out = in the lanes of `where` -a, elsewhere a; a < 2 p.
  PAIRMINT_INLINE void Negate(__mmask8 where, const E &a, E *out) const {
    Sum(
        [&](int j) {
          return _mm512_mask_sub_epi64(a.limbs[j], where, P(j, 1), a.limbs[j]);
        },
        out);
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

// out = eight numbers of kWords words, `stride` words apart, in limbs of kRadix
// bits.
template <int L, int kRadix = kLimbBits>
void LoadLimbs(const uint64_t *words, int stride, Element<L> *out) {
  const Vector lanes = _mm512_mullo_epi64(
      _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), Broadcast(stride));
#pragma GCC unroll 11
  for (int j = 0; j < L; j++) {
    const int low = kRadix * j;
    const int word = low / 64;
    const int at = low % 64;
    Vector limb = Zero();
    if (word < kWords<L>) {
      limb =
          _mm512_srli_epi64(_mm512_i64gather_epi64(lanes, words + word, 8), at);
    }
    if (at > 64 - kRadix && word + 1 < kWords<L>) {
      limb = _mm512_or_si512(
          limb,
          _mm512_slli_epi64(_mm512_i64gather_epi64(lanes, words + word + 1, 8),
                            64 - at));
    }
    out->limbs[j] =
        _mm512_and_si512(limb, Broadcast((uint64_t{1} << kRadix) - 1));
  }
}

// Writes eight numbers of kWords words, `stride` words apart.
template <int L, int kRadix = kLimbBits>
void StoreWords(const Element<L> &in, int stride, uint64_t *words) {
  const Vector lanes = _mm512_mullo_epi64(
      _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), Broadcast(stride));
#pragma GCC unroll 9
  for (int w = 0; w < kWords<L>; w++) {
    const int i = 64 * w / kRadix;
    const int at = 64 * w % kRadix;
    Vector word = _mm512_srli_epi64(in.limbs[i], at);
    if (i + 1 < L) {
      word = _mm512_or_si512(word,
                             _mm512_slli_epi64(in.limbs[i + 1], kRadix - at));
    }
    if (i + 2 < L && 2 * kRadix - at < 64) {
      word = _mm512_or_si512(
          word, _mm512_slli_epi64(in.limbs[i + 2], 2 * kRadix - at));
    }
    _mm512_i64scatter_epi64(words + w, lanes, word, 8);
  }
}

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

// out = a^(p - 2), for what is public.
template <int L, Shape kShape>
void InvertPublic(const Field<L, kShape> &field, const Element<L> &a,
                  Element<L> *out) {
  // p is odd and above 2: only its lowest word changes.
  *out = field.m.one;
  for (int bit = kBits<L> - 1; bit >= 0; bit--) {
    const uint64_t word =
        field.m.words[bit / 64] - (bit < 64 ? uint64_t{2} : uint64_t{0});
    field.Times(*out, *out, out);
    if ((word >> (bit % 64) & 1) != 0) {
      field.Times(*out, a, out);
    }
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

// Works out the constants of p, which is public.
template <int L>
void SetModulus(const uint64_t *p, Modulus<L> *m) {
  for (int w = 0; w < kWords<L>; w++) {
    m->words[w] = p[w];
  }
  LoadLimbs<L>(p, 0, &m->p);
  // Newton's iteration: p is its own inverse mod 8, and each step doubles the
  // number of right bits.
  uint64_t inverse = p[0];
  for (int bits = 3; bits < 64; bits *= 2) {
    inverse *= 2 - p[0] * inverse;
  }
  m->inverse = Broadcast(-inverse & kLimbMask);
  Vector borrow = Zero();
  for (int j = 0; j < L; j++) {
    const Vector power = Broadcast(j == 4 ? uint64_t{1} << 48 : 0);
    const Vector difference = Plus(Minus(power, m->p.limbs[j]), borrow);
    borrow = _mm512_srai_epi64(difference, kLimbBits);
    m->complement.limbs[j] = Low52(difference);
    m->unit.limbs[j] = Broadcast(j == 0 ? 1 : 0);
  }
  // R and R^2 are 1 doubled 52 L and 104 L times.
  Element<L> power = m->unit;
  for (int i = 0; i < 2 * kLimbBits * L; i++) {
    if (i == kLimbBits * L) {
      m->one = power;
    }
    DoubleOnce(m->p, &power);
  }
  m->r_squared = power;
}

}  // namespace
}  // namespace pairmint::ec::lanes

#endif  // NATIVE_EC_LANES_FIELD_H_
