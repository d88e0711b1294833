#ifndef NATIVE_EC_POINT_H_
#define NATIVE_EC_POINT_H_

#include "ec/field.h"

namespace pairmint::ec {

// A point (X/Z, Y/Z) in Montgomery form; (0, 1, 0) is the point at infinity.
template <int kLimbs>
struct Point {
  Number<kLimbs> X, Y, Z;
};

// Law is the addition of points on a curve of prime order. The formulas of
// Renes, Costello and Batina (https://eprint.iacr.org/2015/1060) are complete:
// they hold for equal points, opposite points and infinity, so that nothing has
// to be told apart.
//
// They fail only for two points whose difference has order two, and a group of
// prime order has no such point. Faster formulas fail for infinity, where every
// sum begins and to which every digit 0 leads, and a branch for it would depend
// on the scalar; and for equal points, of which it would have to be argued for
// each curve that no sum meets them.
template <int kLimbs, bool kAIsZero>
class Law {
 public:
  using Element = Number<kLimbs>;

  Law(const Element &p, const Element &b) : field_(p) {
    b_ = field_.ToMontgomery(b);
    if constexpr (kAIsZero) {
      // Algorithm 7 multiplies by 3 b only.
      b_ = Thrice(b_);
    }
  }

  [[nodiscard]] const Field<kLimbs> &field() const { return field_; }

  [[nodiscard]] Point<kLimbs> Infinity() const {
    // Any (0, Y, 0) with Y not 0 is the same point.
    return {{}, field_.one(), {}};
  }

  // Fourteen products, two of them by b or 3 b. The mixed formulas for Q with Z
  // = 1 (algorithms 5 and 8) would save one, but cannot add infinity, which a
  // digit 0 asks for.
  [[nodiscard]] Point<kLimbs> Add(const Point<kLimbs> &P,
                                  const Point<kLimbs> &Q) const {
    const Element xx = Times(P.X, Q.X);
    const Element yy = Times(P.Y, Q.Y);
    const Element zz = Times(P.Z, Q.Z);
    // X1 Y2 + X2 Y1, and so on.
    const Element xy = Mixed(P.X, P.Y, Q.X, Q.Y, Plus(xx, yy));
    const Element yz = Mixed(P.Y, P.Z, Q.Y, Q.Z, Plus(yy, zz));
    const Element xz = Mixed(P.X, P.Z, Q.X, Q.Z, Plus(xx, zz));
    // Known for each curve when it is compiled: no branch remains.
    if constexpr (kAIsZero) {
      return Algorithm7(xx, yy, zz, xy, yz, xz);
    } else {
      return Algorithm4(xx, yy, zz, xy, yz, xz);
    }
  }

 private:
  [[nodiscard]] Element Plus(const Element &a, const Element &b) const {
    return field_.Add(a, b);
  }
  [[nodiscard]] Element Minus(const Element &a, const Element &b) const {
    return field_.Subtract(a, b);
  }
  [[nodiscard]] Element Times(const Element &a, const Element &b) const {
    return field_.Multiply(a, b);
  }
  [[nodiscard]] Element Thrice(const Element &a) const {
    return Plus(Plus(a, a), a);
  }

  // a1 b2 + a2 b1 with one product instead of two, because `squares`, a1 a2 +
  // b1 b2, is known anyway:
  // (a1 + b1) (a2 + b2) - squares.
  [[nodiscard]] Element Mixed(const Element &a1, const Element &b1,
                              const Element &a2, const Element &b2,
                              const Element &squares) const {
    return Minus(Times(Plus(a1, b1), Plus(a2, b2)), squares);
  }

  // Algorithm 4 from step 19 on, a = -3.
  [[nodiscard]] Point<kLimbs> Algorithm4(const Element &xx, const Element &yy,
                                         const Element &zz, const Element &xy,
                                         const Element &yz,
                                         const Element &xz) const {
    // The paper's registers t and X3, Y3, Z3 under names. Multiplying by a = -3
    // takes additions only, so that b is the one constant of a product.
    const Element u = Thrice(Minus(xz, Times(b_, zz)));
    const Element down = Minus(yy, u);
    const Element up = Plus(yy, u);
    const Element zz3 = Thrice(zz);
    const Element v = Thrice(Minus(Minus(Times(b_, xz), zz3), xx));
    const Element w = Minus(Thrice(xx), zz3);
    return {Minus(Times(xy, up), Times(yz, v)),
            Plus(Times(up, down), Times(w, v)),
            Plus(Times(yz, down), Times(xy, w))};
  }

  // Algorithm 7 from step 19 on, a = 0.
  [[nodiscard]] Point<kLimbs> Algorithm7(const Element &xx, const Element &yy,
                                         const Element &zz, const Element &xy,
                                         const Element &yz,
                                         const Element &xz) const {
    const Element xx3 = Thrice(xx);
    const Element bzz = Times(b_, zz);
    const Element up = Plus(yy, bzz);
    const Element down = Minus(yy, bzz);
    const Element bxz = Times(b_, xz);
    return {Minus(Times(xy, down), Times(yz, bxz)),
            Plus(Times(down, up), Times(bxz, xx3)),
            Plus(Times(up, yz), Times(xx3, xy))};
  }

  Field<kLimbs> field_;
  Element b_;  // 3 b where a is 0
};

}  // namespace pairmint::ec

#endif  // NATIVE_EC_POINT_H_
