#ifndef NATIVE_EC_INVERSE_H_
#define NATIVE_EC_INVERSE_H_

#include <stddef.h>
#include <stdint.h>

#include "ec/field.h"

namespace pairmint::ec {

__extension__ using SignedWide = __int128;

// The inverse of a number modulo an odd p of at most kBits bits, by divsteps
// (Bernstein and Yang, https://eprint.iacr.org/2019/266). Their number depends
// on kBits alone, and each is the same instructions: unlike Euclid's algorithm
// it may have secrets, and it takes a tenth of the time of a power.
//
// Numbers are in digits of 62 bits, of which the last has the sign, so that 62
// divsteps can be done on the lowest digits alone and then applied to the
// others as a matrix of words.
template <int kBits>
class Inverter {
 public:
  static constexpr int kLimbs = (kBits + 63) / 64;
  using Element = Number<kLimbs>;

  explicit Inverter(const Element &p) : p_(ToDigits(p)) {
    // Newton's iteration: p is its own inverse mod 8.
    uint64_t inverse = p.limbs[0];
    for (int bits = 3; bits < 64; bits *= 2) {
      inverse *= 2 - p.limbs[0] * inverse;
    }
    inverse_ = inverse & kMask;
  }

  // a^-1 mod p for an `a` below p; 0 for 0.
  [[nodiscard]] Element Invert(const Element &a) const {
    Digits d = {}, e = {{1}}, f = p_, g = ToDigits(a);
    int64_t delta = 1;
    for (int i = 0; i < kRounds; i++) {
      const Matrix t = Divsteps(&delta, f.digits[0], g.digits[0]);
      UpdateInverses(t, &d, &e);
      UpdateNumbers(t, &f, &g);
    }
    // g is 0, f is 1 or -1 and f = d a: the inverse is f d. d is in (-2 p, p).
    const uint64_t negate = SignOf(f);
    AddIf(SignOf(d), &d);
    Negate(negate, &d);
    AddIf(SignOf(d), &d);
    return FromDigits(d);
  }

 private:
  // A bit for the sign and one for numbers up to 2 p.
  static constexpr int kNumDigits = (kBits + 2 + 61) / 62;
  static constexpr uint64_t kMask = (uint64_t{1} << 62) - 1;
  // Theorem 11.2: from 46 bits on, (49 d + 57) / 17 divsteps are enough.
  static constexpr int kRounds = ((49 * kBits + 57) / 17 + 61) / 62;

  struct Digits {
    int64_t digits[kNumDigits];
  };

  // 2^62 times the matrix of 62 divsteps; |u| + |v| and |q| + |r| are at most
  // 2^62.
  struct Matrix {
    int64_t u, v, q, r;
  };

  static Digits ToDigits(const Element &in) {
    Digits out;
    for (int i = 0; i < kNumDigits; i++) {
      const int word = 62 * i / 64;
      const int at = 62 * i % 64;
      uint64_t digit = word < kLimbs ? in.limbs[word] >> at : 0;
      if (at > 2 && word + 1 < kLimbs) {
        digit |= in.limbs[word + 1] << (64 - at);
      }
      out.digits[i] = static_cast<int64_t>(digit & kMask);
    }
    return out;
  }

  static Element FromDigits(const Digits &in) {
    Element out = {};
    for (int i = 0; i < kNumDigits; i++) {
      const auto digit = static_cast<uint64_t>(in.digits[i]);
      const int word = 62 * i / 64;
      const int at = 62 * i % 64;
      if (word < kLimbs) {
        out.limbs[word] |= digit << at;
      }
      if (at > 2 && word + 1 < kLimbs) {
        out.limbs[word + 1] |= digit >> (64 - at);
      }
    }
    return out;
  }

  // All ones for a number below 0, else 0.
  static uint64_t SignOf(const Digits &in) {
    return Opaque(static_cast<uint64_t>(in.digits[kNumDigits - 1] >> 63));
  }

  // Adds p where `mask` is all ones.
  void AddIf(uint64_t mask, Digits *in_out) const {
    int64_t carry = 0;
    for (int i = 0; i < kNumDigits; i++) {
      carry += in_out->digits[i] + (p_.digits[i] & static_cast<int64_t>(mask));
      in_out->digits[i] = i + 1 < kNumDigits ? Low(carry) : carry;
      carry >>= 62;
    }
  }

  static void Negate(uint64_t mask, Digits *in_out) {
    const auto sign = static_cast<int64_t>(mask);
    int64_t carry = 0;
    for (int i = 0; i < kNumDigits; i++) {
      carry += (in_out->digits[i] ^ sign) - sign;
      in_out->digits[i] = i + 1 < kNumDigits ? Low(carry) : carry;
      carry >>= 62;
    }
  }

  static int64_t Low(int64_t digit) {
    return static_cast<int64_t>(static_cast<uint64_t>(digit) & kMask);
  }
  static int64_t Low(SignedWide digit) {
    return static_cast<int64_t>(static_cast<uint64_t>(digit) & kMask);
  }

  static Matrix Divsteps(int64_t *in_out_delta, int64_t f_low, int64_t g_low) {
    // In unsigned words, which may overflow. With delta > 0 and g odd: (delta,
    // f, g) = (1 - delta, g, (g - f) / 2); else (1 + delta, f, (g + (g mod 2)
    // f) / 2). The rows of the matrix go the same way, but instead of halving
    // g's row, f's is doubled.
    auto delta = static_cast<uint64_t>(*in_out_delta);
    auto f = static_cast<uint64_t>(f_low);
    auto g = static_cast<uint64_t>(g_low);
    uint64_t u = 1, v = 0, q = 0, r = 1;
    for (int i = 0; i < 62; i++) {
      const uint64_t odd = Opaque(-(g & 1));
      // -delta is negative where delta is above 0.
      const uint64_t swap = Opaque(-(-delta >> 63)) & odd;
      g += ((f ^ swap) - swap) & odd;
      q += ((u ^ swap) - swap) & odd;
      r += ((v ^ swap) - swap) & odd;
      // g is now the old g - f where they swap.
      f += g & swap;
      u += q & swap;
      v += r & swap;
      delta = (delta ^ swap) - swap + 1;
      g >>= 1;
      u <<= 1;
      v <<= 1;
    }
    *in_out_delta = static_cast<int64_t>(delta);
    return {static_cast<int64_t>(u), static_cast<int64_t>(v),
            static_cast<int64_t>(q), static_cast<int64_t>(r)};
  }

  // (f, g) = t (f, g) / 2^62, which leaves no rest.
  static void UpdateNumbers(const Matrix &t, Digits *f, Digits *g) {
    SignedWide f_sum = 0, g_sum = 0;
    for (int i = 0; i < kNumDigits; i++) {
      const int64_t fi = f->digits[i], gi = g->digits[i];
      f_sum += SignedWide{t.u} * fi + SignedWide{t.v} * gi;
      g_sum += SignedWide{t.q} * fi + SignedWide{t.r} * gi;
      if (i > 0) {
        f->digits[i - 1] = Low(f_sum);
        g->digits[i - 1] = Low(g_sum);
      }
      f_sum >>= 62;
      g_sum >>= 62;
    }
    f->digits[kNumDigits - 1] = static_cast<int64_t>(f_sum);
    g->digits[kNumDigits - 1] = static_cast<int64_t>(g_sum);
  }

  // (d, e) = t (d, e) / 2^62 mod p, in (-2 p, p) as before: where d or e is
  // negative, its factor times p is added first, so that both count as in (-p,
  // p); then the multiple of p that leaves no rest is taken away.
  void UpdateInverses(const Matrix &t, Digits *d, Digits *e) const {
    const auto d_sign = static_cast<int64_t>(SignOf(*d));
    const auto e_sign = static_cast<int64_t>(SignOf(*e));
    int64_t d_multiple = (t.u & d_sign) + (t.v & e_sign);
    int64_t e_multiple = (t.q & d_sign) + (t.r & e_sign);
    SignedWide d_sum =
        SignedWide{t.u} * d->digits[0] + SignedWide{t.v} * e->digits[0];
    SignedWide e_sum =
        SignedWide{t.q} * d->digits[0] + SignedWide{t.r} * e->digits[0];
    const auto rest = [this](SignedWide sum, int64_t multiple) {
      return static_cast<int64_t>((inverse_ * static_cast<uint64_t>(sum) +
                                   static_cast<uint64_t>(multiple)) &
                                  kMask);
    };
    d_multiple -= rest(d_sum, d_multiple);
    e_multiple -= rest(e_sum, e_multiple);
    for (int i = 0; i < kNumDigits; i++) {
      if (i > 0) {
        d_sum +=
            SignedWide{t.u} * d->digits[i] + SignedWide{t.v} * e->digits[i];
        e_sum +=
            SignedWide{t.q} * d->digits[i] + SignedWide{t.r} * e->digits[i];
      }
      d_sum += SignedWide{p_.digits[i]} * d_multiple;
      e_sum += SignedWide{p_.digits[i]} * e_multiple;
      if (i > 0) {
        d->digits[i - 1] = Low(d_sum);
        e->digits[i - 1] = Low(e_sum);
      }
      d_sum >>= 62;
      e_sum >>= 62;
    }
    d->digits[kNumDigits - 1] = static_cast<int64_t>(d_sum);
    e->digits[kNumDigits - 1] = static_cast<int64_t>(e_sum);
  }

  Digits p_;
  uint64_t inverse_;  // p^-1 mod 2^62
};

// Writes x = X / Z and y = Y / Z of `count` points, none of whose Z is 0, with
// one inversion. Points are X, Y and Z below p in words, and `workspace` has a
// number for each.
//
// The numbers of the points are taken for Montgomery forms as they are: X and Z
// are then both off by the same factor, and X / Z is right.
template <int kBits>
void MakeAffine(const Field<Inverter<kBits>::kLimbs> &field,
                const Inverter<kBits> &inverter, size_t count,
                const uint64_t *points, uint64_t *workspace, uint64_t *out) {
  constexpr int kLimbs = Inverter<kBits>::kLimbs;
  using Element = Number<kLimbs>;
  // Montgomery's trick, as in comb.cc.
  Element product = field.one();
  for (size_t i = 0; i < count; i++) {
    Store(product, workspace + i * kLimbs);
    product =
        field.Multiply(product, Load<kLimbs>(points + (3 * i + 2) * kLimbs));
  }
  // (a R)^-1, twice times R.
  Element inverse =
      field.ToMontgomery(field.ToMontgomery(inverter.Invert(product)));
  for (size_t i = count; i-- > 0;) {
    const uint64_t *point = points + i * 3 * kLimbs;
    uint64_t *affine = out + i * 2 * kLimbs;
    const Element z =
        field.Multiply(inverse, Load<kLimbs>(workspace + i * kLimbs));
    inverse = field.Multiply(inverse, Load<kLimbs>(point + 2 * kLimbs));
    Store(field.FromMontgomery(field.Multiply(Load<kLimbs>(point), z)), affine);
    Store(field.FromMontgomery(field.Multiply(Load<kLimbs>(point + kLimbs), z)),
          affine + kLimbs);
  }
}

}  // namespace pairmint::ec

#endif  // NATIVE_EC_INVERSE_H_
