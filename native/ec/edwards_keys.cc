#include "ec/edwards_keys.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/random.h"
#include "core/sha512.h"

namespace pairmint::ec {
namespace {

using core::ByteSpan;
using core::Failed;
using core::MutableByteSpan;
using core::SecretBytes;
using core::Status;

// RFC 8032, 5.1.5, steps 1 to 3.
bool SetScalar(ByteSpan seed, EdwardsScalar *out) {
  core::Sha512Digest digest;
  const bool good = core::Sha512(seed, &digest);
  digest[0] &= 0xf8;
  digest[31] = static_cast<uint8_t>((digest[31] & 0x7f) | 0x40);
  for (size_t w = 0; w < out->size(); w++) {
    uint64_t word = 0;
    for (size_t i = 8; i-- > 0;) {
      word = word << 8 | digest[8 * w + i];
    }
    (*out)[w] = word;
  }
  OPENSSL_cleanse(digest.data(), digest.size());
  return good;
}

// Below 2^256, as both numbers are below 2^255.
void AddOffset(const EdwardsOffset &offset, EdwardsScalar *in_out) {
  const auto *m = reinterpret_cast<const uint64_t *>(offset.m.data());
  uint64_t carry = 0;
  for (size_t w = 0; w < in_out->size(); w++) {
    const uint64_t sum = (*in_out)[w] + m[w];
    const auto carry_of_sum = static_cast<uint64_t>(sum < m[w]);
    (*in_out)[w] = sum + carry;
    carry = carry_of_sum | static_cast<uint64_t>((*in_out)[w] < carry);
  }
}

// What a lot is worked out in.
struct Room {
  uint64_t points[kMaxEdwardsLot * kEdwardsPointWords];
  uint64_t sums[kMaxEdwardsLot * kEdwardsPointWords];
  uint64_t products[kMaxEdwardsLot * kEdwardsWords];
  uint64_t scalars[kMaxEdwardsLot * kEdwardsScalarWords];
  EdwardsScalar scalar;
};

class SecretRoom {
 public:
  explicit SecretRoom(const EdwardsEngine &engine)
      : engine_(engine),
        room_(sizeof(Room)),
        workspace_(engine.lanes->workspace_size) {}

  Room *operator->() { return reinterpret_cast<Room *>(room_.data()); }

  // Gives lane i room()->scalar, doubled.
  void SetLane(size_t i) {
    const EdwardsScalar &scalar = (*this)->scalar;
    uint64_t *out = (*this)->scalars + i * kEdwardsScalarWords;
    uint64_t carry = 0;
    for (size_t w = 0; w < scalar.size(); w++) {
      out[w] = scalar[w] << 1 | carry;
      carry = scalar[w] >> 63;
    }
    out[scalar.size()] = carry;
  }

  void MultiplySplit(LanesTable which) {
    engine_.lanes->multiply_split(engine_.table.data(), which, (*this)->scalars,
                                  workspace_.data(), (*this)->points);
  }

  // Lanes without a scalar give the neutral point, which is not looked at.
  void MultiplyEach(LanesTable which, size_t count) {
    for (size_t at = 0; at < count; at += kLanesWide) {
      engine_.lanes->multiply_each(engine_.table.data(), which,
                                   (*this)->scalars + at * kEdwardsScalarWords,
                                   workspace_.data(),
                                   (*this)->points + at * kEdwardsPointWords);
    }
  }

  // Writes the affine points and their encodings.
  void Finish(size_t count, EdwardsAffine *affines, MutableByteSpan out) {
    engine_.plain->MakeAffine(count, (*this)->points, (*this)->products,
                              affines->data());
    for (size_t i = 0; i < count; i++) {
      EncodeEdwards(affines[i].data(),
                    out.subspan(i * kEd25519Len, kEd25519Len));
    }
  }

 private:
  const EdwardsEngine &engine_;
  SecretBytes room_;
  SecretBytes workspace_;  // a block of a power of two, and aligned like it
};

ByteSpan At(ByteSpan keys, size_t i) {
  return keys.subspan(i * kEd25519Len, kEd25519Len);
}

bool IsPointOf(const EdwardsEngine &engine, const EdwardsAffine &affine,
               ByteSpan key) {
  std::array<uint8_t, kEd25519Len> encoded;
  EncodeEdwards(affine.data(), encoded);
  return engine.plain->IsOnCurve(affine.data()) &&
         std::equal(encoded.begin(), encoded.end(), key.begin());
}

}  // namespace

Status MakeOffset(const EdwardsEngine &engine,
                  std::shared_ptr<const EdwardsOffset> *out) {
  SecretBytes seed(kEd25519Len);
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(seed.mutable_span()));
  auto made = std::make_shared<EdwardsOffset>();
  made->m = SecretBytes(sizeof(EdwardsScalar));
  auto *m = reinterpret_cast<EdwardsScalar *>(made->m.data());
  std::array<uint8_t, kEd25519Len> key;
  PAIRMINT_RETURN_IF_ERROR(PublicKeyByOpenSsl(seed.span(), key));
  // Modulo the order, no digit of m is the same in all.
  if (!SetScalar(seed.span(), m) || !ReduceByOpenSsl(m) ||
      !engine.plain->Decode(key, made->point.data())) {
    return Failed(kEd25519Keys);
  }
  *out = std::move(made);
  return Status::Ok();
}

Status ComputeKeys(const EdwardsEngine &engine, ByteSpan seeds,
                   MutableByteSpan out, std::vector<EdwardsAffine> *affines) {
  const size_t count = affines->size();
  SecretRoom room(engine);
  for (size_t i = 0; i < count; i++) {
    if (!SetScalar(At(seeds, i), &room->scalar)) {
      return Failed(kEd25519Keys);
    }
    room.SetLane(i);
  }
  if (count == 1) {
    room.MultiplySplit(LanesTable::kFourBits);
  } else {
    room.MultiplyEach(LanesTable::kFiveBits, count);
  }
  room.Finish(count, affines->data(), out);
  WipeStack();
  return Status::Ok();
}

Status CheckKeys(const EdwardsEngine &engine, const EdwardsOffset &offset,
                 ByteSpan seeds, ByteSpan keys,
                 const std::vector<EdwardsAffine> &affines, bool *out) {
  const size_t count = affines.size();
  *out = false;
  for (size_t i = 0; i < count; i++) {
    // A point off the curve must not reach a sum: see Decode in verify.cc.
    if (!IsPointOf(engine, affines[i], At(keys, i))) {
      return Status::Ok();
    }
  }
  SecretRoom room(engine);
  for (size_t i = 0; i < count; i++) {
    if (!SetScalar(At(seeds, i), &room->scalar)) {
      return Failed(kEd25519Keys);
    }
    AddOffset(offset, &room->scalar);
    room.SetLane(count - 1 - i);
  }
  if (count == 1) {
    room.MultiplySplit(LanesTable::kFiveBits);
  } else {
    room.MultiplyEach(LanesTable::kFourBits, count);
  }
  bool same = true;
  for (size_t i = 0; i < count; i++) {
    uint64_t *sum = room->sums + i * kEdwardsPointWords;
    engine.plain->Add(affines[i].data(), offset.point.data(), sum);
    same = engine.plain->AreSame(
               sum, room->points + (count - 1 - i) * kEdwardsPointWords) &&
           same;
  }
  WipeStack();
  *out = same;
  return Status::Ok();
}

void MultiplyPublic(const EdwardsEngine &engine, LanesTable which,
                    bool is_split, std::span<const EdwardsScalar> scalars,
                    MutableByteSpan out) {
  SecretRoom room(engine);
  std::vector<EdwardsAffine> affines(scalars.size());
  for (size_t i = 0; i < scalars.size(); i++) {
    room->scalar = scalars[i];
    room.SetLane(is_split ? 0 : i);
    if (is_split) {
      room.MultiplySplit(which);
      room.Finish(1, &affines[i], out.subspan(i * kEd25519Len, kEd25519Len));
    }
  }
  if (!is_split) {
    room.MultiplyEach(which, scalars.size());
    room.Finish(scalars.size(), affines.data(), out);
  }
}

}  // namespace pairmint::ec
