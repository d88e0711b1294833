#ifndef NATIVE_EC_EDWARDS_LAW_H_
#define NATIVE_EC_EDWARDS_LAW_H_

// Arithmetic modulo p = 2^255 - 19 on eight numbers at a time, in limbs of 51
// bits, and addition on edwards25519.
//
// p = 2^255 - 19 needs no Montgomery form: what is above 2^255 counts 19 times
// below. Limbs of 51 bits put 2^255 between two limbs, and leave a bit, so that
// a number is good for a factor after a single round of carries.
//
// Bounds. An element's limbs are below 2^51 + 2^16, and those of the negated
// entry of a table, which is one factor of a product at most, below 2^52. The
// columns of a product are below 2^60: the low half of a product of limbs is
// below 2^52 and the high half below 2^51 + 2^16, and in the lowest column
// there are 1 low half, and 19 times 4 low halves and twice 5 high ones, 173
// 2^52.

#include "ec/lanes_field.h"

namespace pairmint::ec::lanes {
namespace {

constexpr int kLimbs = 5;
constexpr int kRadix = 51;
constexpr uint64_t kRadixMask = (uint64_t{1} << kRadix) - 1;
constexpr int kWords256 = kWords<kLimbs>;

using E = Element<kLimbs>;

// A number whose limbs may have up to 62 bits.
struct Columns {
  Vector limbs[kLimbs];
};

PAIRMINT_INLINE Vector Low51(Vector a) {
  return _mm512_and_si512(a, Broadcast(kRadixMask));
}

PAIRMINT_INLINE Vector Times19(Vector a) {
  return Plus(Plus(_mm512_slli_epi64(a, 4), _mm512_slli_epi64(a, 1)), a);
}

// Limb j of 2^shift p.
PAIRMINT_INLINE Vector P(int j, int shift) {
  return Broadcast((kRadixMask - (j == 0 ? 18 : 0)) << shift);
}

PAIRMINT_INLINE Columns Product(const E &a, const E &b) {
  Vector low[2 * kLimbs], high[2 * kLimbs];
#pragma GCC unroll 10
  for (int k = 0; k < 2 * kLimbs; k++) {
    low[k] = Zero();
    high[k] = Zero();
  }
#pragma GCC unroll 5
  for (int i = 0; i < kLimbs; i++) {
#pragma GCC unroll 5
    for (int j = 0; j < kLimbs; j++) {
      // What is above 52 bits counts twice in the next limb.
      low[i + j] = MulLow(low[i + j], a.limbs[i], b.limbs[j]);
      high[i + j + 1] = MulHigh(high[i + j + 1], a.limbs[i], b.limbs[j]);
    }
  }
  Columns out;
#pragma GCC unroll 5
  for (int k = 0; k < kLimbs; k++) {
    const Vector above =
        Plus(low[k + kLimbs], Plus(high[k + kLimbs], high[k + kLimbs]));
    out.limbs[k] = Plus(Plus(low[k], Plus(high[k], high[k])), Times19(above));
  }
  return out;
}

// The number whose limbs are limb(0), limb(1) and so on, below 2^62.
template <typename Limb>
PAIRMINT_INLINE E Carry(Limb limb) {
  E out;
  Vector carries[kLimbs];
#pragma GCC unroll 5
  for (int j = 0; j < kLimbs; j++) {
    const Vector each = limb(j);
    carries[j] = _mm512_srli_epi64(each, kRadix);
    out.limbs[j] = Low51(each);
  }
  out.limbs[0] = MulLow(out.limbs[0], carries[kLimbs - 1], Broadcast(19));
#pragma GCC unroll 5
  for (int j = 1; j < kLimbs; j++) {
    out.limbs[j] = Plus(out.limbs[j], carries[j - 1]);
  }
  return out;
}
PAIRMINT_INLINE E Carry(const Columns &a) {
  return Carry([&](int j) { return a.limbs[j]; });
}
PAIRMINT_INLINE E CarrySum(const Columns &a, const Columns &b) {
  return Carry([&](int j) { return Plus(a.limbs[j], b.limbs[j]); });
}
PAIRMINT_INLINE E CarryDifference(const Columns &a, const Columns &b) {
  return Carry(
      [&](int j) { return Minus(Plus(a.limbs[j], P(j, 9)), b.limbs[j]); });
}

[[gnu::noinline]] void Times(const E &a, const E &b, E *out) {
  *out = Carry(Product(a, b));
}

// The same number, below p.
E Reduced(const E &a) {
  // Two rounds leave a number below 2^255 + 2^51, with limbs of 51 bits but for
  // the lowest. Then q is whether the number is p or more.
  E out = a;
  for (int round = 0; round < 2; round++) {
    for (int j = 0; j + 1 < kLimbs; j++) {
      out.limbs[j + 1] =
          Plus(out.limbs[j + 1], _mm512_srli_epi64(out.limbs[j], kRadix));
      out.limbs[j] = Low51(out.limbs[j]);
    }
    const Vector top = _mm512_srli_epi64(out.limbs[kLimbs - 1], kRadix);
    out.limbs[kLimbs - 1] = Low51(out.limbs[kLimbs - 1]);
    out.limbs[0] = Plus(out.limbs[0], Times19(top));
  }
  Vector q = Broadcast(19);
  for (const Vector &limb : out.limbs) {
    q = _mm512_srli_epi64(Plus(limb, q), kRadix);
  }
  Vector carry = Times19(q);
  for (Vector &limb : out.limbs) {
    const Vector sum = Plus(limb, carry);
    carry = _mm512_srli_epi64(sum, kRadix);
    limb = Low51(sum);
  }
  return out;
}

// A point (x, y) as (Y + X, Y - X, Z, T), where x = X/Z, y = Y/Z and T = XY/Z.
struct Extended {
  E plus, minus, z, t;
};

// What is added: y + x, y - x and 2 d x y.
struct Affine25519 {
  E plus, minus, t;
};

// The limbs of a number that is the same in all lanes.
PAIRMINT_INLINE E Same(const uint64_t (&words)[kWords256]) {
  E out;
  LoadLimbs<kLimbs, kRadix>(words, 0, &out);
  return out;
}
PAIRMINT_INLINE E Small(uint64_t value) {
  E out;
  for (int j = 0; j < kLimbs; j++) {
    out.limbs[j] = Broadcast(j == 0 ? value : 0);
  }
  return out;
}

constexpr uint64_t kTwiceD[kWords256] = {0xebd69b9426b2f159, 0x00e0149a8283b156,
                                         0x198e80f2eef3d130,
                                         0x2406d9dc56dffce7};
constexpr uint64_t kX[kWords256] = {0xc9562d608f25d51a, 0x692cc7609525a7b2,
                                    0xc0a4e231fdd6dc5c, 0x216936d3cd6e53fe};
constexpr uint64_t kY[kWords256] = {0x6666666666666658, 0x6666666666666666,
                                    0x6666666666666666, 0x6666666666666666};

// Hisil, Wong, Carter, Dawson (https://eprint.iacr.org/2008/522), 3.1: complete
// for a = -1, as d is no square. `c` is T1 2 d T2 and `d` 2 Z1 Z2.
PAIRMINT_INLINE void Finish(const Columns &a, const Columns &b,
                            const Columns &c, const Columns &d, Extended *out) {
  const E e = CarryDifference(b, a);
  const E h = CarrySum(b, a);
  const E f = CarryDifference(d, c);
  const E g = CarrySum(d, c);
  const Columns x = Product(e, f);
  const Columns y = Product(g, h);
  out->plus = CarrySum(y, x);
  out->minus = CarryDifference(y, x);
  out->z = Carry(Product(f, g));
  out->t = Carry(Product(e, h));
}

[[gnu::noinline]] void AddAffine(const Affine25519 &b, Extended *in_out) {
  const Columns minus = Product(in_out->minus, b.minus);
  const Columns plus = Product(in_out->plus, b.plus);
  const Columns t = Product(in_out->t, b.t);
  Columns z;
#pragma GCC unroll 5
  for (int j = 0; j < kLimbs; j++) {
    z.limbs[j] = Plus(in_out->z.limbs[j], in_out->z.limbs[j]);
  }
  Finish(minus, plus, t, z, in_out);
}

// out may be a or b.
[[gnu::noinline]] void Add(const E &twice_d, const Extended &a,
                           const Extended &b, Extended *out) {
  E scaled;
  Times(b.t, twice_d, &scaled);
  const Columns minus = Product(a.minus, b.minus);
  const Columns plus = Product(a.plus, b.plus);
  const Columns t = Product(a.t, scaled);
  Columns z = Product(a.z, b.z);
#pragma GCC unroll 5
  for (int j = 0; j < kLimbs; j++) {
    z.limbs[j] = Plus(z.limbs[j], z.limbs[j]);
  }
  Finish(minus, plus, t, z, out);
}

void SetNeutral(Extended *out) {
  *out = {Small(1), Small(1), Small(1), Small(0)};
}

}  // namespace
}  // namespace pairmint::ec::lanes

#endif  // NATIVE_EC_EDWARDS_LAW_H_
