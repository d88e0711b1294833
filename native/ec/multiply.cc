#include "ec/multiply.h"

#include <array>
#include <utility>

#include "core/secret_bytes.h"
#include "core/words.h"

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::Failed;
using core::MutableByteSpan;
using core::SecretBytes;
using core::Status;
using core::ToBytes;
using core::ToWords;

constexpr size_t kAlignment = 64;

using Words = std::vector<uint64_t>;

// What eight lanes, or one key that is split over them, work in. Scalars of
// lanes that are not set are 0, and their result is thrown away.
class LanesRoom {
 public:
  LanesRoom(const Lanes &lanes, size_t count)
      : len_(lanes.num_limbs),
        scalars_(count * (len_ + 2) * core::kWordLen),
        workspace_(lanes.workspace_size) {}

  bool SetScalar(size_t i, const BIGNUM *key) {
    uint64_t *words = scalars() + i * (len_ + 2);
    if (!ToWords(key, {words, len_})) {
      return false;
    }
    for (size_t w = len_; w > 0; w--) {
      words[w] |= words[w - 1] >> 63;
      words[w - 1] <<= 1;
    }
    return true;
  }

  uint64_t *scalars() { return reinterpret_cast<uint64_t *>(scalars_.data()); }
  void *workspace() { return workspace_.data(); }

 private:
  const size_t len_;
  SecretBytes scalars_;
  SecretBytes workspace_;  // a block of a power of two, and aligned like it
};

Status MultiplyByLanes(const Multiplier &multiplier,
                       std::span<const BignumPtr> keys, Words *out) {
  const Lanes &lanes = *multiplier.lanes;
  const size_t point = 3 * lanes.num_limbs;
  SecretBytes points((keys.size() + kLanesWide) * point * core::kWordLen);
  auto *words = reinterpret_cast<uint64_t *>(points.data());
  if (keys.size() == 1) {
    PAIRMINT_RETURN_IF_ERROR(
        MultiplySplit(multiplier, LanesTable::kFourBits, keys[0].get(), words));
  } else {
    for (size_t at = 0; at < keys.size(); at += kLanesWide) {
      LanesRoom room(lanes, kLanesWide);
      for (size_t i = at; i < keys.size() && i < at + kLanesWide; i++) {
        if (!room.SetScalar(i - at, keys[i].get())) {
          return Failed(kKeyGeneration);
        }
      }
      lanes.multiply_each(multiplier.table, room.scalars(), room.workspace(),
                          words + at * point);
    }
  }
  SecretBytes workspace(keys.size() * lanes.num_limbs * core::kWordLen);
  multiplier.plain->MakeAffine(keys.size(), words,
                               reinterpret_cast<uint64_t *>(workspace.data()),
                               out->data());
  return Status::Ok();
}

Status MultiplyByComb(const Multiplier &multiplier,
                      std::span<const BignumPtr> keys, Words *out) {
  const Comb &comb = *multiplier.comb;
  const size_t len = comb.num_limbs;
  SecretBytes scalars(keys.size() * len * core::kWordLen);
  auto *limbs = reinterpret_cast<uint64_t *>(scalars.data());
  for (size_t i = 0; i < keys.size(); i++) {
    if (!ToWords(keys[i].get(), {limbs + i * len, len})) {
      return Failed(kKeyGeneration);
    }
  }
  SecretBytes workspace(keys.size() * comb.workspace_size);
  comb.multiply(multiplier.table, keys.size(), limbs, workspace.data(),
                out->data());
  return Status::Ok();
}

}  // namespace

// The comb's deepest chain of calls, with nine limbs from Multiply through
// Law::Add and Algorithm 4 to a product, takes 3.3 KB (g++ 12, -O2); the
// addition of points in lanes of eleven limbs with its products 14 KB.
[[gnu::noinline]] void WipeStack() {
  std::array<uint8_t, 24576> frame;
  core::Wipe(frame);
}

AlignedWords::AlignedWords(size_t size)
    : words_((size + kAlignment) / core::kWordLen) {}

uint64_t *AlignedWords::data() {
  return const_cast<uint64_t *>(std::as_const(*this).data());
}

const uint64_t *AlignedWords::data() const {
  const auto address = reinterpret_cast<uintptr_t>(words_.data());
  return words_.data() + (-address % kAlignment) / core::kWordLen;
}

Status MultiplySplit(const Multiplier &multiplier, LanesTable which,
                     const BIGNUM *key, uint64_t *out) {
  const Lanes &lanes = *multiplier.lanes;
  LanesRoom room(lanes, 1);
  if (!room.SetScalar(0, key)) {
    return Failed(kKeyGeneration);
  }
  lanes.multiply_split(multiplier.table, which, room.scalars(),
                       room.workspace(), out);
  WipeStack();
  return Status::Ok();
}

Status MultiplyUnchecked(const Curve &curve, const Multiplier &multiplier,
                         std::span<const BignumPtr> keys, MutableByteSpan out) {
  const size_t len = NumLimbs(curve);
  Words points(2 * len * keys.size());
  PAIRMINT_RETURN_IF_ERROR(multiplier.lanes == nullptr
                               ? MultiplyByComb(multiplier, keys, &points)
                               : MultiplyByLanes(multiplier, keys, &points));
  WipeStack();
  for (size_t i = 0; i < keys.size(); i++) {
    const MutableByteSpan point =
        out.subspan(i * PointLen(curve), PointLen(curve));
    const auto x = std::span(points).subspan(2 * len * i, len);
    const auto y = std::span(points).subspan(2 * len * i + len, len);
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    ToBytes(x, point.subspan(1, curve.field_len));
    ToBytes(y, point.last(curve.field_len));
  }
  return Status::Ok();
}

}  // namespace pairmint::ec
