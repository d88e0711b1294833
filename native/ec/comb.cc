// A scalar in windows of five bits, each a digit from -16 to 16 (Booth), and a
// table of the multiples 1 to 16 of 2^(5 i) times the generator: one addition
// a window and no doubling.
//
// Nothing here depends on a scalar: no branch, no address (every read of the
// table looks at all 16 points). test/native/comb.test.ts reads the machine
// code, and runs it with scalars that a memory checker follows.
#include "ec/comb.h"

#include <new>

#if defined(__SIZEOF_INT128__)
#include "ec/point.h"

namespace pairmint::ec {
namespace {

// Six bits would save a sixth of the additions, but read twice the points in
// each, of a table five thirds as large, which for P-521 is 240 KB with five:
// more than the nearer caches hold. Four bits would take a quarter more
// additions; and with k limbs a look-up reads 32 k words, while an addition
// takes 28 k^2 multiplications of words, so that a smaller table saves little.
constexpr int kWindowBits = 5;
// A negative digit takes the point of its magnitude with -y, which is free:
// without signs the table would have 31 points a window, and each look-up would
// read them all.
constexpr int kMultiples = 1 << (kWindowBits - 1);

// A point whose Z is 1.
template <int kLimbs>
struct Affine {
  Number<kLimbs> x, y;
};

// The windows of a scalar and of one bit above it, because a digit below 0
// carries into the next.
template <int kLimbs>
constexpr int NumWindows() {
  // The prime of nine limbs is that of P-521.
  //
  // The windows cover the bits below 5 * NumWindows(), at least one more than a
  // scalar has: the top bit of the last window is 0, its digit is not negative,
  // and nothing carries out of it. That is 52 windows for 256 bits, 77 for 384
  // and 105 for 521, with an addition each; a ladder takes a doubling and an
  // addition for every bit.
  const int bits = kLimbs == 9 ? 521 : 64 * kLimbs;
  return (bits + kWindowBits) / kWindowBits;
}

template <int kLimbs, bool kAIsZero>
struct Table {
  Law<kLimbs, kAIsZero> law;
  Affine<kLimbs> windows[NumWindows<kLimbs>()][kMultiples];
};

// What becomes affine points: the points, and a number for each.
template <int kLimbs>
struct Workspace {
  Workspace(void *memory, size_t count)
      : points(static_cast<Point<kLimbs> *>(memory)),
        products(reinterpret_cast<Number<kLimbs> *>(points + count)) {}

  static constexpr size_t Size(size_t count) {
    return count * (sizeof(Point<kLimbs>) + sizeof(Number<kLimbs>));
  }

  Point<kLimbs> *points;
  Number<kLimbs> *products;
};

// (-1)^is_negative * magnitude.
struct Digit {
  uint64_t is_negative;
  uint64_t magnitude;
};

// Booth's digit of the bits 5 i - 1 to 5 i + 4, the lowest of which is the
// carry from below.
template <int kLimbs>
Digit DigitAt(const uint64_t *scalar, int window) {
  // For bits b5 .. b0 the digit is -16 b5 + 8 b4 + 4 b3 + 2 b2 + b1 + b0. The
  // top bit counts -16 here and, as the carry, 1 in the next window, where 1 is
  // worth 32: together 16, its value. All digits times 2^(5 i) add up to the
  // scalar.
  constexpr int kBits = kWindowBits + 1;
  constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
  const int low = kWindowBits * window - 1;
  const int limb = low / 64;
  // These branches depend on the window alone.
  uint64_t bits = low < 0 ? scalar[0] << 1 : scalar[limb] >> (low % 64);
  if (low % 64 > 64 - kBits && limb + 1 < kLimbs) {
    bits |= scalar[limb + 1] << (64 - low % 64);
  }
  const uint64_t is_negative = bits >> kWindowBits & 1;
  // Of a negative digit, the complement has the magnitude: b5 is 0 then, and
  // (63 - bits + 1) / 2 rounded down is 0 to 16, as is (bits + 1) / 2 where b5
  // is 0. Six ones are "-0", which Lookup turns into infinity like 0.
  return {is_negative, (((bits ^ -is_negative) & kMask) + 1) >> 1};
}

// All ones where `word`, which is below 2^63, is 0; else 0.
uint64_t ZeroMask(uint64_t word) { return Opaque(-((word - 1) >> 63)); }

// digit times the point that `multiples` begins with.
template <int kLimbs>
Point<kLimbs> Lookup(const Field<kLimbs> &field, const Digit &digit,
                     const Affine<kLimbs> (&multiples)[kMultiples]) {
  Affine<kLimbs> found = {};
  for (uint64_t i = 0; i < kMultiples; i++) {
    const uint64_t mask = ZeroMask(digit.magnitude ^ (i + 1));
    found.x = Select(mask, multiples[i].x, found.x);
    found.y = Select(mask, multiples[i].y, found.y);
  }
  // No multiple is chosen for 0: x and y stay 0, and (0, 1, 0) is made of them.
  // 0 - y is below p also for y = 0.
  const Number<kLimbs> zero = {};
  const uint64_t negative = Opaque(-digit.is_negative);
  const uint64_t infinity = ZeroMask(digit.magnitude);
  found.y = Select(negative, field.Subtract(zero, found.y), found.y);
  return {found.x, Select(infinity, field.one(), found.y),
          Select(infinity, zero, field.one())};
}

// Divides `count` points by their Z, none of which is 0, with one inversion
// (Montgomery's trick).
template <int kLimbs>
void MakeAffine(const Field<kLimbs> &field, size_t count,
                const Workspace<kLimbs> &in, Affine<kLimbs> *out) {
  // products[i] is the product of all Z before i. From the last point down,
  // `inverse` is the inverse of the product up to and with i: times products[i]
  // it is that of Z alone, and times Z it is the next one. That is three
  // products a point instead of an inversion, which takes over 300. A single Z
  // of 0 would make every result 0; see the callers.
  Number<kLimbs> product = field.one();
  for (size_t i = 0; i < count; i++) {
    in.products[i] = product;
    product = field.Multiply(product, in.points[i].Z);
  }
  Number<kLimbs> inverse = field.Invert(product);
  for (size_t i = count; i-- > 0;) {
    const Number<kLimbs> z = field.Multiply(inverse, in.products[i]);
    inverse = field.Multiply(inverse, in.points[i].Z);
    out[i] = {field.Multiply(in.points[i].X, z),
              field.Multiply(in.points[i].Y, z)};
  }
}

template <int kLimbs, bool kAIsZero>
void Fill(const CombCurve &curve, void *workspace, void *memory) {
  using Number = Number<kLimbs>;
  constexpr size_t kPoints = NumWindows<kLimbs>() * kMultiples;
  auto *table = new (memory) Table<kLimbs, kAIsZero>{
      {Load<kLimbs>(curve.p), Load<kLimbs>(curve.b)}, {}};
  const Law<kLimbs, kAIsZero> &law = table->law;
  const Workspace<kLimbs> work(workspace, kPoints);
  const Number x = law.field().ToMontgomery(Load<kLimbs>(curve.x));
  const Number y = law.field().ToMontgomery(Load<kLimbs>(curve.y));
  Point<kLimbs> base = {x, y, law.field().one()};
  for (size_t at = 0; at < kPoints; at += kMultiples) {
    // base is 2^(5 i) times the generator. k 2^(5 i) for k up to 16 has no
    // large prime factor, so the order does not divide it: no point of the
    // table is infinity. Complete formulas double, too, as for i = 1 here and
    // below.
    Point<kLimbs> *multiples = work.points + at;
    multiples[0] = base;
    for (int i = 1; i < kMultiples; i++) {
      multiples[i] = law.Add(multiples[i - 1], base);
    }
    base = law.Add(multiples[kMultiples - 1], multiples[kMultiples - 1]);
  }
  MakeAffine(law.field(), kPoints, work, table->windows[0]);
}

template <int kLimbs, bool kAIsZero>
void Multiply(const void *memory, size_t count, const uint64_t *scalars,
              void *workspace, uint64_t *out) {
  const auto &table = *static_cast<const Table<kLimbs, kAIsZero> *>(memory);
  const Law<kLimbs, kAIsZero> &law = table.law;
  const Workspace<kLimbs> work(workspace, count);
  for (size_t i = 0; i < count; i++) {
    Point<kLimbs> &sum = work.points[i];
    // The sum stays at infinity while digits are 0, which the formulas bear. In
    // the end it is scalar * generator, with a scalar that the order does not
    // divide: Z is not 0.
    //
    // Windows above the scalar's highest bit are added like all others: how
    // long a scalar is does not show.
    sum = law.Infinity();
    for (int w = 0; w < NumWindows<kLimbs>(); w++) {
      const Digit digit = DigitAt<kLimbs>(scalars + i * kLimbs, w);
      sum = law.Add(sum, Lookup(law.field(), digit, table.windows[w]));
    }
  }
  auto *affine = reinterpret_cast<Affine<kLimbs> *>(out);
  MakeAffine(law.field(), count, work, affine);
  for (size_t i = 0; i < count; i++) {
    affine[i] = {law.field().FromMontgomery(affine[i].x),
                 law.field().FromMontgomery(affine[i].y)};
  }
}

template <int kLimbs, bool kAIsZero>
constexpr Comb Row() {
  return {kLimbs,
          kAIsZero,
          sizeof(Table<kLimbs, kAIsZero>),
          Workspace<kLimbs>::Size(NumWindows<kLimbs>() * kMultiples),
          Workspace<kLimbs>::Size(1),
          Fill<kLimbs, kAIsZero>,
          Multiply<kLimbs, kAIsZero>};
}

// secp256k1; SM2 (and P-256, which never gets here); P-384; P-521.
constexpr Comb kCombs[] = {Row<4, true>(), Row<4, false>(), Row<6, false>(),
                           Row<9, false>()};

}  // namespace

const Comb *FindComb(size_t num_limbs, bool a_is_zero) {
  for (const Comb &comb : kCombs) {
    if (comb.num_limbs == num_limbs && comb.a_is_zero == a_is_zero) {
      return &comb;
    }
  }
  return nullptr;
}

}  // namespace pairmint::ec
#else  // MSVC has no 128-bit integers
namespace pairmint::ec {
const Comb *FindComb(size_t, bool) { return nullptr; }
}  // namespace pairmint::ec
#endif
