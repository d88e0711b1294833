// Multiples of a curve's generator and sums of points, eight at a time, one in
// each 64-bit lane.
//
// Nothing here depends on the numbers: no branch, no address, no mask that
// leaves the vector unit (test/native/disassembly.mjs looks at the machine
// code).
#include "ec/lanes.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && \
    defined(__AVX512IFMA__)
#include "ec/lanes_field.h"
#include "ec/lanes_law.h"

namespace pairmint::ec {
namespace lanes {
namespace {

static_assert(kWide == kLanesWide);

// 64-bit words of a scalar as the contract has it.
template <int L>
constexpr int kScalarWords = kWords<L> + 2;

// Writes the points of all lanes as the contract has them.
template <int L, bool kAIsZero>
void StorePoints(const Law<L, kAIsZero> &law, const Point<L> &in,
                 uint64_t *out) {
  // Times 1 / R: below (1.5 p + R p) / R, that is at most p. That the
  // coordinates leave Montgomery's form changes neither X / Z nor Y / Z.
  constexpr int kStride = 3 * kWords<L>;
  Element<L> plain;
  law.field().Times(in.X, law.c.modulus.unit, &plain);
  StoreWords<L>(plain, kStride, out);
  law.field().Times(in.Y, law.c.modulus.unit, &plain);
  StoreWords<L>(plain, kStride, out + kWords<L>);
  law.field().Times(in.Z, law.c.modulus.unit, &plain);
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

// Adds the digit times a point of its window, of which `found` is the digit's
// magnitude, to the sum. For a digit 0, whose `found` is no point, the sum
// stays.
template <int L, bool kAIsZero>
PAIRMINT_INLINE void AddDigit(const Law<L, kAIsZero> &law, const Digit &digit,
                              Affine<L> *found, Point<L> *sum) {
  law.field().Negate(digit.is_negative, found->y, &found->y);
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
  law.field().Times(plain, law.c.modulus.r_squared, &multiples[0].X);
  LoadLimbs<L>(room->points + kWords<L>, kPoint, &plain);
  law.field().Times(plain, law.c.modulus.r_squared, &multiples[0].Y);
  multiples[0].Z = law.c.modulus.one;
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
      law.field().Negate(digit.is_negative, room->found.Y, &room->found.Y);
      law.Sum(room->sum, room->found, &room->sum);
    }
  }
  Join(law, &room->found, &room->sum);
  StoreOne(law, room->sum, room->all, out);
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
  base = {generator.x, generator.y, law.c.modulus.one};
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
  Element<L> product = law.c.modulus.one;
  for (int i = 0; i < kPoints; i++) {
    room->products[i] = product;
    law.field().Times(product, room->points[i].Z, &product);
  }
  Element<L> inverse;
  InvertPublic(law.field(), product, &inverse);
  for (int i = kPoints - 1; i >= 0; i--) {
    const Point<L> &point = room->points[i];
    Element<L> z;
    law.field().Times(inverse, room->products[i], &z);
    law.field().Times(inverse, point.Z, &inverse);
    Affine<L> &affine = out->points[i / W::kMultiples][i % W::kMultiples];
    law.field().Times(point.X, z, &affine.x);
    law.field().Times(point.Y, z, &affine.y);
  }
}

template <int L, bool kAIsZero>
void Fill(const CombCurve &curve, void *workspace, void *memory) {
  auto *table = static_cast<Table<L> *>(memory);
  auto *room = static_cast<FillRoom<L> *>(workspace);
  Constants<L> &c = table->constants;
  SetModulus(curve.p, &c.modulus);
  const Law<L, kAIsZero> law = {c};
  Element<L> plain;
  Affine<L> generator;
  LoadLimbs<L>(curve.b, 0, &plain);
  if constexpr (kAIsZero) {
    law.field().Times(plain, c.modulus.r_squared, &plain);
    law.field().ReducedSum(
        [&](int j) {
          return Plus(Thrice(plain.limbs[j]), law.field().P(j, 1));
        },
        &c.b);
  } else {
    law.field().Times(plain, c.modulus.r_squared, &c.b);
  }
  LoadLimbs<L>(curve.x, 0, &plain);
  law.field().Times(plain, c.modulus.r_squared, &generator.x);
  LoadLimbs<L>(curve.y, 0, &plain);
  law.field().Times(plain, c.modulus.r_squared, &generator.y);
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
}  // namespace lanes

const Lanes *FindLanes(size_t num_limbs, bool a_is_zero) {
  for (const Lanes &row : lanes::kLanes) {
    if (row.num_limbs == num_limbs && row.a_is_zero == a_is_zero) {
      return &row;
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
