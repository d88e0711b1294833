// Multiples of the generator of edwards25519, eight at a time, one in each
// 64-bit lane.
//
// Nothing here depends on the numbers: no branch, no address, no mask that
// leaves the vector unit (test/native/disassembly.mjs looks at the machine
// code).
#include "ec/edwards_lanes.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && \
    defined(__AVX512IFMA__)
#include "ec/edwards_law.h"
#include "ec/lanes_field.h"

namespace pairmint::ec {
namespace lanes {
namespace {

static_assert(kWide == kLanesWide);

constexpr int kScalarBits = 256;

// Writes the points of all lanes as the contract has them.
void StorePoints(const Extended &in, uint64_t *out) {
  constexpr int kStride = kEdwardsPointWords;
  // Twice X, Y and Z.
  const auto store = [&](const E &each, int at) {
    StoreWords<kLimbs, kRadix>(Reduced(each), kStride, out + at);
  };
  store(Carry([&](int j) {
          return Minus(Plus(in.plus.limbs[j], P(j, 9)), in.minus.limbs[j]);
        }),
        0);
  store(Carry([&](int j) { return Plus(in.plus.limbs[j], in.minus.limbs[j]); }),
        kWords256);
  store(Carry([&](int j) { return Plus(in.z.limbs[j], in.z.limbs[j]); }),
        2 * kWords256);
}

// The multiples 1 to kMultiples of 2^(kWindow w) times the generator for every
// window w, laid out as the tables of lanes_avx512ifma.cc.
template <int kWindow>
struct Windows {
  static constexpr int kCount = (kScalarBits + kWindow) / kWindow;
  static constexpr int kSteps = (kCount + kWide - 1) / kWide;
  static constexpr int kMultiples = 1 << (kWindow - 1);

  Affine25519 points[kSteps][kMultiples];
};

struct Table {
  Windows<5> five;
  Windows<4> four;
};

// What multiplications work in.
struct Multiplication {
  Extended sum, other;
  Affine25519 found;
  Vector words[kEdwardsScalarWords];
  uint64_t all[kWide * kEdwardsPointWords];
};

constexpr int kEntry = 3 * kLimbs;

PAIRMINT_INLINE Vector LaneNumbers() {
  return _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
}

// Adds the digit times a point of its window, of which `found` is the digit's
// magnitude. That of 0 is the neutral point.
PAIRMINT_INLINE void AddDigit(__mmask8 is_negative,
                              const Vector (&found)[kEntry],
                              Multiplication *room) {
#pragma GCC unroll 5
  for (int j = 0; j < kLimbs; j++) {
    const Vector plus = found[j], minus = found[kLimbs + j];
    const Vector t = found[2 * kLimbs + j];
    room->found.plus.limbs[j] = _mm512_mask_mov_epi64(plus, is_negative, minus);
    room->found.minus.limbs[j] =
        _mm512_mask_mov_epi64(minus, is_negative, plus);
    room->found.t.limbs[j] = _mm512_mask_sub_epi64(t, is_negative, P(j, 1), t);
  }
  AddAffine(room->found, &room->sum);
}

PAIRMINT_INLINE void SetNeutral(Vector (&found)[kEntry]) {
#pragma GCC unroll 15
  for (int j = 0; j < kEntry; j++) {
    found[j] = j == 0 || j == kLimbs ? Broadcast(1) : Zero();
  }
}

template <int kWindow>
void EachOver(const Windows<kWindow> &windows, const uint64_t *scalars,
              void *workspace, uint64_t *out) {
  using W = Windows<kWindow>;
  auto &room = *static_cast<Multiplication *>(workspace);
  const Vector lanes =
      _mm512_mullo_epi64(LaneNumbers(), Broadcast(kEdwardsScalarWords));
  for (size_t w = 0; w < kEdwardsScalarWords; w++) {
    room.words[w] = _mm512_i64gather_epi64(lanes, scalars + w, 8);
  }
  SetNeutral(&room.sum);
  for (int w = 0; w < W::kCount; w++) {
    const int low = kWindow * w;
    const Digit digit = DigitOf<kWindow>(_mm512_or_si512(
        _mm512_srl_epi64(room.words[low / 64], _mm_cvtsi32_si128(low % 64)),
        // A count of 64 gives 0.
        _mm512_sll_epi64(room.words[low / 64 + 1],
                         _mm_cvtsi32_si128(64 - low % 64))));
    // One word of each vector of the table is this window's.
    const auto *words =
        reinterpret_cast<const uint64_t *>(&windows.points[w / kWide][0]) +
        w % kWide;
    Vector found[kEntry];
    SetNeutral(found);
    for (int e = 0; e < W::kMultiples; e++, words += kWide * kEntry) {
      const __mmask8 here =
          _mm512_cmpeq_epi64_mask(digit.magnitude, Broadcast(e + 1));
#pragma GCC unroll 15
      for (int j = 0; j < kEntry; j++) {
        found[j] =
            _mm512_mask_mov_epi64(found[j], here, Broadcast(words[kWide * j]));
      }
    }
    AddDigit(digit.is_negative, found, &room);
  }
  StorePoints(room.sum, out);
}

PAIRMINT_INLINE void Permute(Vector from, const E &in, E *out) {
#pragma GCC unroll 5
  for (int j = 0; j < kLimbs; j++) {
    out->limbs[j] = _mm512_permutexvar_epi64(from, in.limbs[j]);
  }
}

// Adds up the points of all lanes, in each of them.
void Join(Multiplication *room) {
  const E twice_d = Same(kTwiceD);
  Extended &sum = room->sum, &other = room->other;
  for (int half = kWide / 2; half > 0; half /= 2) {
    const Vector from = _mm512_and_si512(Plus(LaneNumbers(), Broadcast(half)),
                                         Broadcast(kWide - 1));
    Permute(from, sum.plus, &other.plus);
    Permute(from, sum.minus, &other.minus);
    Permute(from, sum.z, &other.z);
    Permute(from, sum.t, &other.t);
    Add(twice_d, sum, other, &sum);
  }
}

template <int kWindow>
void SplitOver(const Windows<kWindow> &windows, const uint64_t *scalar,
               void *workspace, uint64_t *out) {
  using W = Windows<kWindow>;
  auto &room = *static_cast<Multiplication *>(workspace);
  SetNeutral(&room.sum);
  // Where the window of each lane begins; all windows end below the last word.
  Vector low = _mm512_mullo_epi64(LaneNumbers(), Broadcast(kWindow));
  static_assert(kWindow * kWide * W::kSteps + 1 <=
                64 * (kEdwardsScalarWords - 1));
  for (int i = 0; i < W::kSteps; i++) {
    const Vector word = _mm512_srli_epi64(low, 6);
    const Vector at = _mm512_and_si512(low, Broadcast(63));
    const Digit digit = DigitOf<kWindow>(_mm512_or_si512(
        _mm512_srlv_epi64(_mm512_i64gather_epi64(word, scalar, 8), at),
        _mm512_sllv_epi64(_mm512_i64gather_epi64(word, scalar + 1, 8),
                          Minus(Broadcast(64), at))));
    Vector found[kEntry];
    SetNeutral(found);
    for (int e = 0; e < W::kMultiples; e++) {
      const __mmask8 here =
          _mm512_cmpeq_epi64_mask(digit.magnitude, Broadcast(e + 1));
      const Affine25519 &multiple = windows.points[i][e];
#pragma GCC unroll 5
      for (int j = 0; j < kLimbs; j++) {
        found[j] =
            _mm512_mask_mov_epi64(found[j], here, multiple.plus.limbs[j]);
        found[kLimbs + j] = _mm512_mask_mov_epi64(found[kLimbs + j], here,
                                                  multiple.minus.limbs[j]);
        found[2 * kLimbs + j] = _mm512_mask_mov_epi64(
            found[2 * kLimbs + j], here, multiple.t.limbs[j]);
      }
    }
    AddDigit(digit.is_negative, found, &room);
    low = Plus(low, Broadcast(kWindow * kWide));
  }
  Join(&room);
  StorePoints(room.sum, room.all);
  for (size_t w = 0; w < kEdwardsPointWords; w++) {
    out[w] = room.all[w];
  }
}

void MultiplyEach(const void *memory, LanesTable which, const uint64_t *scalars,
                  void *workspace, uint64_t *out) {
  const auto &table = *static_cast<const Table *>(memory);
  if (which == LanesTable::kFiveBits) {
    EachOver<5>(table.five, scalars, workspace, out);
  } else {
    EachOver<4>(table.four, scalars, workspace, out);
  }
}

void MultiplySplit(const void *memory, LanesTable which, const uint64_t *scalar,
                   void *workspace, uint64_t *out) {
  const auto &table = *static_cast<const Table *>(memory);
  if (which == LanesTable::kFiveBits) {
    SplitOver<5>(table.five, scalar, workspace, out);
  } else {
    SplitOver<4>(table.four, scalar, workspace, out);
  }
}

struct FillRoom {
  static constexpr int kMax = Windows<5>::kSteps * Windows<5>::kMultiples;
  static_assert(Windows<4>::kSteps * Windows<4>::kMultiples <= kMax);

  Extended base, twice;
  Extended points[kMax];
  E products[kMax];
};

// a^(p - 2).
E InvertPublic(const E &a) {
  // p - 2 = 2^255 - 21 has ones but for the bits 2 and 4.
  E out = Small(1);
  for (int bit = 254; bit >= 0; bit--) {
    Times(out, out, &out);
    if (bit != 2 && bit != 4) {
      Times(out, a, &out);
    }
  }
  return out;
}

template <int kWindow>
void FillWindows(const E &twice_d, const Extended &generator, FillRoom *room,
                 Windows<kWindow> *out) {
  using W = Windows<kWindow>;
  constexpr int kPoints = W::kSteps * W::kMultiples;
  // Lane j begins at 2^(kWindow j) times the generator.
  Extended &base = room->base;
  base = generator;
  for (int i = 1; i <= kWindow * (kWide - 1); i++) {
    Add(twice_d, base, base, &room->twice);
    const auto lanes =
        static_cast<__mmask8>(0xffu << ((i + kWindow - 1) / kWindow));
    Choose(lanes, room->twice.plus, &base.plus);
    Choose(lanes, room->twice.minus, &base.minus);
    Choose(lanes, room->twice.z, &base.z);
    Choose(lanes, room->twice.t, &base.t);
  }
  for (int i = 0; i < W::kSteps; i++) {
    Extended *multiples = room->points + i * W::kMultiples;
    multiples[0] = base;
    for (int e = 1; e < W::kMultiples; e++) {
      Add(twice_d, multiples[e - 1], base, &multiples[e]);
    }
    for (int k = 0; k < kWindow * kWide; k++) {
      Add(twice_d, base, base, &base);
    }
  }
  // One inversion for all points of a lane (Montgomery's trick); Z is never 0.
  E product = Small(1);
  for (int i = 0; i < kPoints; i++) {
    room->products[i] = product;
    Times(product, room->points[i].z, &product);
  }
  E inverse = InvertPublic(product);
  for (int i = kPoints - 1; i >= 0; i--) {
    const Extended &point = room->points[i];
    E z, each;
    Times(inverse, room->products[i], &z);
    Times(inverse, point.z, &inverse);
    Affine25519 &affine = out->points[i / W::kMultiples][i % W::kMultiples];
    // Y + X and Y - X are those of x and y times Z, and T is x y Z.
    Times(point.plus, z, &each);
    affine.plus = Reduced(each);
    Times(point.minus, z, &each);
    affine.minus = Reduced(each);
    Times(point.t, z, &each);
    Times(each, twice_d, &each);
    affine.t = Reduced(each);
  }
}

void Fill(void *workspace, void *memory) {
  auto *table = static_cast<Table *>(memory);
  auto *room = static_cast<FillRoom *>(workspace);
  const E twice_d = Same(kTwiceD);
  const E x = Same(kX), y = Same(kY);
  Extended generator;
  generator.plus = Carry([&](int j) { return Plus(y.limbs[j], x.limbs[j]); });
  generator.minus = Carry(
      [&](int j) { return Minus(Plus(y.limbs[j], P(j, 1)), x.limbs[j]); });
  generator.z = Small(1);
  Times(x, y, &generator.t);
  FillWindows<5>(twice_d, generator, room, &table->five);
  FillWindows<4>(twice_d, generator, room, &table->four);
}

constexpr EdwardsLanes kEdwards = {sizeof(Table),          sizeof(FillRoom),
                                   sizeof(Multiplication), Fill,
                                   MultiplyEach,           MultiplySplit};

}  // namespace
}  // namespace lanes

const EdwardsLanes *FindEdwardsLanes() { return &lanes::kEdwards; }

}  // namespace pairmint::ec

#else

namespace pairmint::ec {

const EdwardsLanes *FindEdwardsLanes() { return nullptr; }

}  // namespace pairmint::ec

#endif
