#ifndef NATIVE_EC_FIELD_H_
#define NATIVE_EC_FIELD_H_

#include <stdint.h>
#include <string.h>

namespace pairmint::ec {

__extension__ using Wide = unsigned __int128;

// An integer in little-endian 64-bit limbs.
template <int kLimbs>
struct Number {
  uint64_t limbs[kLimbs];
};

// Numbers are stored as their limbs.
template <int kLimbs>
inline Number<kLimbs> Load(const uint64_t *words) {
  Number<kLimbs> out;
  memcpy(out.limbs, words, sizeof out.limbs);
  return out;
}
template <int kLimbs>
inline void Store(const Number<kLimbs> &in, uint64_t *words) {
  memcpy(words, in.limbs, sizeof in.limbs);
}

// For what is public.
template <int kLimbs>
inline bool Equal(const Number<kLimbs> &a, const Number<kLimbs> &b) {
  return memcmp(a.limbs, b.limbs, sizeof a.limbs) == 0;
}

// Keeps the compiler from finding out that `mask` is 0 or all ones: it would
// make a branch of it.
inline uint64_t Opaque(uint64_t mask) {
  __asm__("" : "+r"(mask));
  return mask;
}

// out = mask is all ones ? a : b, where mask is 0 otherwise.
template <int kLimbs>
inline Number<kLimbs> Select(uint64_t mask, const Number<kLimbs> &a,
                             const Number<kLimbs> &b) {
  Number<kLimbs> out;
#pragma GCC unroll 9
  for (int i = 0; i < kLimbs; i++) {
    out.limbs[i] = b.limbs[i] ^ (mask & (a.limbs[i] ^ b.limbs[i]));
  }
  return out;
}

// out = a + b mod 2^(64 kLimbs); returns the carry.
template <int kLimbs>
inline uint64_t AddLimbs(const Number<kLimbs> &a, const Number<kLimbs> &b,
                         Number<kLimbs> *out) {
  Wide sum = 0;
#pragma GCC unroll 9
  for (int i = 0; i < kLimbs; i++) {
    // Below 2^65, so that the carry is one bit.
    sum += Wide{a.limbs[i]} + b.limbs[i];
    out->limbs[i] = static_cast<uint64_t>(sum);
    sum >>= 64;
  }
  return static_cast<uint64_t>(sum);
}

// out = a - b mod 2^(64 kLimbs); returns the borrow, 0 or 1.
template <int kLimbs>
inline uint64_t SubtractLimbs(const Number<kLimbs> &a, const Number<kLimbs> &b,
                              Number<kLimbs> *out) {
  uint64_t borrow = 0;
#pragma GCC unroll 9
  for (int i = 0; i < kLimbs; i++) {
    const Wide difference = Wide{a.limbs[i]} - b.limbs[i] - borrow;
    out->limbs[i] = static_cast<uint64_t>(difference);
    // The high half is all ones after a borrow, else 0.
    borrow = static_cast<uint64_t>(difference >> 64) & 1;
  }
  return borrow;
}

// Field is the integers modulo an odd prime p of more than 64 (kLimbs - 1)
// bits, in Montgomery form with R = 2^(64 kLimbs). Everything that goes in is
// below p, and so is what comes out. No branch and no address depends on the
// numbers, nor any but those of Invert on p, which is public.
//
// Add, Subtract and Multiply are straight lines of code and no more: inlined,
// hundreds of them would make the compiler take minutes.
//
// Sums are not kept below 4 p without a subtraction, as the lanes of mont/ do:
// the primes of four and six limbs fill these to the last bit, so that R < 2 p
// and two spare bits would cost a limb.
template <int kLimbs>
class Field {
 public:
  using Element = Number<kLimbs>;

  explicit Field(const Element &p) : p_(p) {
    // Newton's iteration: p is its own inverse mod 8, and the number of right
    // bits doubles.
    uint64_t inverse = p.limbs[0];
    for (int bits = 3; bits < 64; bits *= 2) {
      inverse *= 2 - p.limbs[0] * inverse;
    }
    minus_inverse_ = -inverse;
    // R mod p after 64 kLimbs doublings of 1, and R^2 mod p after as many
    // again. It happens once for each curve and needs no division.
    Element power = {{1}};
    for (int i = 0; i < 2 * 64 * kLimbs; i++) {
      if (i == 64 * kLimbs) {
        one_ = power;
      }
      power = Add(power, power);
    }
    r_squared_ = power;
  }

  [[nodiscard]] const Element &one() const { return one_; }

  [[nodiscard, gnu::noinline]] Element Add(const Element &a,
                                           const Element &b) const {
    Element sum;
    // a + b < 2 p, as Reduce wants it.
    const uint64_t carry = AddLimbs(a, b, &sum);
    return Reduce(sum, carry);
  }

  [[nodiscard, gnu::noinline]] Element Subtract(const Element &a,
                                                const Element &b) const {
    Element difference;
    // After a borrow the difference is a - b + 2^(64 kLimbs), and p, which is
    // added then, carries out of the top limb: the carry and the borrow cancel
    // and are not looked at. Without a borrow 0 is added, in the same time.
    const uint64_t borrow = SubtractLimbs(a, b, &difference);
    Element correction;
    const uint64_t mask = Opaque(-borrow);
#pragma GCC unroll 9
    for (int i = 0; i < kLimbs; i++) {
      correction.limbs[i] = p_.limbs[i] & mask;
    }
    Element out;
    AddLimbs(difference, correction, &out);
    return out;
  }

  // a b / R mod p.
  [[nodiscard, gnu::noinline]] Element Multiply(const Element &a,
                                                const Element &b) const {
    // Handbook of Applied Cryptography, algorithm 14.36. With t < 2 p, a < p
    // and limbs below 2^64, the next t is below (2 p + 2 (2^64 - 1) p) / 2^64 =
    // 2 p, so that t[kLimbs] is 0 or 1 and one subtraction at the end is
    // enough.
    uint64_t t[kLimbs + 1] = {};
#pragma GCC unroll 9
    for (int i = 0; i < kLimbs; i++) {
      // t = (t + a b[i] + m p) / 2^64, below 2 p.
      Wide product = 0;
#pragma GCC unroll 9
      for (int j = 0; j < kLimbs; j++) {
        // At most (2^64 - 1)^2 + 2 (2^64 - 1) = 2^128 - 1: the carry of a whole
        // limb and a limb of t fit beside the product.
        product += Wide{a.limbs[j]} * b.limbs[i] + t[j];
        t[j] = static_cast<uint64_t>(product);
        product >>= 64;
      }
      const Wide top = product + t[kLimbs];
      const uint64_t m = t[0] * minus_inverse_;
      // By the choice of m the low limb of this sum is 0 and is left out; all
      // others move down by one.
      product = (Wide{m} * p_.limbs[0] + t[0]) >> 64;
#pragma GCC unroll 9
      for (int j = 1; j < kLimbs; j++) {
        product += Wide{m} * p_.limbs[j] + t[j];
        t[j - 1] = static_cast<uint64_t>(product);
        product >>= 64;
      }
      product += top;
      t[kLimbs - 1] = static_cast<uint64_t>(product);
      t[kLimbs] = static_cast<uint64_t>(product >> 64);
    }
    Element sum;
#pragma GCC unroll 9
    for (int i = 0; i < kLimbs; i++) {
      sum.limbs[i] = t[i];
    }
    return Reduce(sum, t[kLimbs]);
  }

  // a^-1 as a^(p-2), Fermat; 0 for 0. Which powers of a it reads depends on p.
  [[nodiscard]] Element Invert(const Element &a) const {
    // An extended Euclid would branch on a, which is a secret: it is the
    // product of the Z of points that come of private keys. For 256 bits this
    // takes 256 squarings and 79 products. Four bits divide a limb, so that no
    // window lies across two; their table takes 15 products, one of five bits
    // 31 to save 12.
    constexpr int kWindowBits = 4;
    Element powers[1 << kWindowBits] = {one_};
    for (int i = 1; i < 1 << kWindowBits; i++) {
      powers[i] = Multiply(powers[i - 1], a);
    }
    Element exponent;
    SubtractLimbs(p_, Element{{2}}, &exponent);
    Element out = one_;
    for (int low = 64 * kLimbs - kWindowBits; low >= 0; low -= kWindowBits) {
      for (int i = 0; i < kWindowBits; i++) {
        out = Multiply(out, out);
      }
      const uint64_t window = exponent.limbs[low / 64] >> (low % 64);
      out = Multiply(out, powers[window % (1 << kWindowBits)]);
    }
    return out;
  }

  [[nodiscard]] Element ToMontgomery(const Element &a) const {
    // a R^2 / R.
    return Multiply(a, r_squared_);
  }
  [[nodiscard]] Element FromMontgomery(const Element &a) const {
    return Multiply(a, Element{{1}});
  }

 private:
  // carry 2^(64 kLimbs) + sum, which is below 2 p, mod p.
  [[nodiscard]] Element Reduce(const Element &sum, uint64_t carry) const {
    Element reduced;
    // With a carry the number is above p, but what is left of it below 2^(64
    // kLimbs) is below p, because the whole is below 2 p: a carry always comes
    // with a borrow, and 1 - 0 does not occur.
    const uint64_t borrow = SubtractLimbs(sum, p_, &reduced);
    // carry - borrow is 0 or, where sum was below p, -1.
    return Select(Opaque(carry - borrow), sum, reduced);
  }

  Element p_;
  Element one_;
  Element r_squared_;
  uint64_t minus_inverse_;
};

}  // namespace pairmint::ec

#endif  // NATIVE_EC_FIELD_H_
