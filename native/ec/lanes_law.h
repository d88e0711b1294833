#ifndef NATIVE_EC_LANES_LAW_H_
#define NATIVE_EC_LANES_LAW_H_

// Addition on short Weierstrass curves, of eight points at a time. Coordinates
// are numbers of lanes_field.h; for L = 5 they stay below 1.5 p.

#include "ec/lanes_field.h"

namespace pairmint::ec::lanes {
namespace {

template <int L>
struct Point {
  Element<L> X, Y, Z;
};

template <int L>
struct Affine {
  Element<L> x, y;
};

// The constants of a curve, the same in all lanes.
template <int L>
struct Constants {
  Modulus<L> modulus;
  Element<L> b;  // 3 b where a is 0
};

// P-256 and SM2, of the curves with five limbs those whose a is not 0, have p =
// -1 modulo 2^52.
template <int L, bool kAIsZero>
constexpr Shape kShapeOf = L == 11               ? Shape::kP521
                           : L == 5 && !kAIsZero ? Shape::kMinusOne
                                                 : Shape::kAny;

// Element and point arithmetic of one curve.
template <int L, bool kAIsZero>
struct Law {
  using E = Element<L>;

  const Constants<L> &c;

  // Made anew, so that an element is written without a doubt of where p is.
  [[nodiscard]] PAIRMINT_INLINE Field<L, kShapeOf<L, kAIsZero>> field() const {
    return {c.modulus};
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
    field().Times(a.X, b.X, &xx);
    field().Times(a.Y, b.Y, &yy);
    field().Times(a.Z, b.Z, &zz);
    Mixed(a.X, a.Y, b.X, b.Y, xx, yy, &xy);
    Mixed(a.Y, a.Z, b.Y, b.Z, yy, zz, &yz);
    Mixed(a.X, a.Z, b.X, b.Z, xx, zz, &xz);
    Finish(xx, yy, zz, xy, yz, xz, out);
  }

  // The same for a point with Z = 1, which is not infinity.
  [[gnu::noinline]] void Sum(const Point<L> &a, const Affine<L> &b,
                             Point<L> *out) const {
    E xx, yy, xy, yz, xz;
    field().Times(a.X, b.x, &xx);
    field().Times(a.Y, b.y, &yy);
    Mixed(a.X, a.Y, b.x, b.y, xx, yy, &xy);
    field().Times(b.y, a.Z, &yz);
    field().Add(yz, a.Y, &yz);
    field().Times(b.x, a.Z, &xz);
    field().Add(xz, a.X, &xz);
    const E zz = a.Z;
    Finish(xx, yy, zz, xy, yz, xz, out);
  }

  // a1 b2 + a2 b1 = (a1 + a2) (b1 + b2) - a1 b1 - a2 b2, reduced.
  PAIRMINT_INLINE void Mixed(const E &a1, const E &a2, const E &b1, const E &b2,
                             const E &first, const E &second, E *out) const {
    E a, b, product;
    field().Add(a1, a2, &a);
    field().Add(b1, b2, &b);
    field().Times(a, b, &product);
    field().ReducedSum(
        [&](int j) {
          return Plus(
              Minus(product.limbs[j], Plus(first.limbs[j], second.limbs[j])),
              field().P(j, 3));
        },
        out);
  }

  PAIRMINT_INLINE void Finish(const E &xx, const E &yy, const E &zz,
                              const E &xy, const E &yz, const E &xz,
                              Point<L> *out) const {
    E bzz, bxz;
    field().Times(c.b, zz, &bzz);
    field().Times(c.b, xz, &bxz);
    E up, down, v, w, minus_yz;
    // What is taken away below is less than 2^kAbove p: for L = 5 at most 15 p,
    // elsewhere, where xy, yz and xz are up to 10 p, at most 34 p.
    constexpr int kAbove = L == 5 ? 5 : 6;
    field().Sum(
        [&](int j) { return Minus(field().P(j, L == 5 ? 2 : 6), yz.limbs[j]); },
        &minus_yz);
    if constexpr (kAIsZero) {
      // Algorithms 7 and 8; b is 3 b.
      field().Add(yy, bzz, &up);
      field().ReducedSum(
          [&](int j) {
            return Plus(Minus(yy.limbs[j], bzz.limbs[j]), field().P(j, kAbove));
          },
          &down);
      field().ReducedSum(
          [&](int j) {
            return Plus(Thrice(xx.limbs[j]), field().P(j, kAbove));
          },
          &w);
      field().Times(xy, down, minus_yz, bxz, &out->X);
      field().Times(down, up, bxz, w, &out->Y);
      field().Times(up, yz, w, xy, &out->Z);
    } else {
      // Algorithms 4 and 5.
      const auto u = [&](int j) {
        return Thrice(Minus(xz.limbs[j], bzz.limbs[j]));
      };
      field().ReducedSum(
          [&](int j) {
            return Plus(Plus(yy.limbs[j], u(j)), field().P(j, kAbove));
          },
          &up);
      field().ReducedSum(
          [&](int j) {
            return Plus(Minus(yy.limbs[j], u(j)), field().P(j, kAbove));
          },
          &down);
      field().ReducedSum(
          [&](int j) {
            return Plus(Thrice(Minus(Minus(bxz.limbs[j], xx.limbs[j]),
                                     Thrice(zz.limbs[j]))),
                        field().P(j, kAbove));
          },
          &v);
      field().ReducedSum(
          [&](int j) {
            return Plus(Thrice(Minus(xx.limbs[j], zz.limbs[j])),
                        field().P(j, kAbove));
          },
          &w);
      field().Times(xy, up, minus_yz, v, &out->X);
      field().Times(up, down, w, v, &out->Y);
      field().Times(yz, down, xy, w, &out->Z);
    }
  }

  void SetInfinity(Point<L> *out) const {
    for (int j = 0; j < L; j++) {
      out->X.limbs[j] = Zero();
      out->Z.limbs[j] = Zero();
    }
    out->Y = c.modulus.one;
  }
};

template <int L>
PAIRMINT_INLINE void Choose(__mmask8 where, const Point<L> &a,
                            Point<L> *in_out) {
  Choose(where, a.X, &in_out->X);
  Choose(where, a.Y, &in_out->Y);
  Choose(where, a.Z, &in_out->Z);
}

}  // namespace
}  // namespace pairmint::ec::lanes

#endif  // NATIVE_EC_LANES_LAW_H_
