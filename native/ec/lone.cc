#include "ec/lone.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "ec/check.h"
#include "ec/dispatch.h"
#include "ec/lot.h"
#include "ec/masks.h"
#include "ec/multiples.h"
#include "ec/verify.h"

namespace pairmint::ec {
namespace {

using core::AbortFlag;
using core::BignumPtr;
using core::Bytes;
using core::KeyPair;
using core::MutableByteSpan;
using core::Status;

// Tables and the first masks take as long as a dozen of OpenSSL's
// multiplications: a process that mints a few pairs must not pay for them.
constexpr size_t kFirst = 32;

// OpenSSL's ladder takes up to 100 times as long as lanes do: with so few it
// would add a tenth.
constexpr uint32_t kKeysOfAnAudit = 1024;

// How many lone pairs the process has minted on each curve, up to kFirst.
class Counts {
 public:
  // Counts one more, and tells whether there had been enough.
  bool Enough(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    size_t &count = counts_[&curve];
    if (count == kFirst) {
      return true;
    }
    count++;
    return false;
  }

  [[nodiscard]] bool HadEnough(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return counts_[&curve] == kFirst;
  }

  void Set(const Curve &curve, size_t count) {
    const std::lock_guard<std::mutex> lock(mutex_);
    counts_[&curve] = count;
  }

 private:
  std::mutex mutex_;
  std::map<const Curve *, size_t> counts_;
};

// Never destroyed: a worker may still mint while the process exits.
Counts &TheCounts() {
  static Counts *counts = new Counts;
  return *counts;
}

// Gives a mask. `out` stays empty if OpenSSL refuses the lot that was made.
Status MaskFor(const Curve &curve, const Multiplier &multiplier,
               const AbortFlag &abort, std::optional<Mask> *out) {
  *out = TakeMask(curve);
  if (*out) {
    return Status::Ok();
  }
  return MakeMasks(curve, multiplier, abort, out);
}

// The point or the mask is wrong if OpenSSL computes another one. A refusal
// alone is no proof: a failed allocation inside OpenSSL looks the same.
Status SwitchOffIfWrong(const Curve &curve, const BIGNUM *key, const Mask &mask,
                        core::ByteSpan point) {
  const BignumPtr r(
      BN_bin2bn(mask.r.data(), static_cast<int>(mask.r.size()), nullptr));
  if (r == nullptr) {
    return core::Failed(kKeyGeneration);
  }
  bool same_point = false;
  bool same_mask = false;
  PAIRMINT_RETURN_IF_ERROR(ComparePoint(curve, key, point, &same_point));
  PAIRMINT_RETURN_IF_ERROR(
      ComparePoint(curve, r.get(), mask.point, &same_mask));
  if (!same_point || !same_mask) {
    SwitchOff(curve.name, "OpenSSL refused a public key");
  }
  return Status::Ok();
}

// Sets `verified` if `out` is the point of the key.
Status PointByComb(const Curve &curve, const Multiplier &multiplier,
                   const AbortFlag &abort, const BignumPtr &key,
                   MutableByteSpan out, bool *verified) {
  if (GroupWithMultiples(curve) == nullptr) {
    return Status::Ok();
  }
  PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
  std::optional<Mask> mask;
  PAIRMINT_RETURN_IF_ERROR(MaskFor(curve, multiplier, abort, &mask));
  if (!mask) {
    return Status::Ok();
  }
  PAIRMINT_RETURN_IF_ERROR(MultiplyUnchecked(
      curve, multiplier, std::span<const BignumPtr>(&key, 1), out));
  PAIRMINT_RETURN_IF_ERROR(
      VerifyByMask(curve, key.get(), *mask, out, verified));
  return *verified ? Status::Ok()
                   : SwitchOffIfWrong(curve, key.get(), *mask, out);
}

// The offset of each curve, for all keys until the next audit.
class Offsets {
 public:
  // nullptr if there is none yet.
  std::shared_ptr<const Offset> Get(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return offsets_[&curve];
  }

  void Set(const Curve &curve, std::shared_ptr<const Offset> offset) {
    const std::lock_guard<std::mutex> lock(mutex_);
    offsets_[&curve] = std::move(offset);
  }

 private:
  std::mutex mutex_;
  std::map<const Curve *, std::shared_ptr<const Offset>> offsets_;
};

// Never destroyed: a worker may still mint while the process exits.
Offsets &TheOffsets() {
  static Offsets *offsets = new Offsets;
  return *offsets;
}

// A new offset where `renew` is true or there is none.
Status OffsetFor(const Curve &curve, bool renew,
                 std::shared_ptr<const Offset> *out) {
  *out = renew ? nullptr : TheOffsets().Get(curve);
  if (*out == nullptr) {
    std::unique_ptr<Offset> made;
    PAIRMINT_RETURN_IF_ERROR(MakeOffset(curve, &made));
    *out = std::move(made);
    TheOffsets().Set(curve, *out);
  }
  return Status::Ok();
}

// Sets `verified` if `out` is the point of the key, which lanes compute and
// check by another table; OpenSSL has its word on one key in kKeysOfAnAudit.
Status PointByLanes(const Curve &curve, const Multiplier &multiplier,
                    const BignumPtr &key, MutableByteSpan out, bool *verified) {
  const bool audit = IsAuditDue(curve, kKeysOfAnAudit);
  std::shared_ptr<const Offset> offset;
  PAIRMINT_RETURN_IF_ERROR(OffsetFor(curve, audit, &offset));
  PAIRMINT_RETURN_IF_ERROR(MultiplyUnchecked(
      curve, multiplier, std::span<const BignumPtr>(&key, 1), out));
  PAIRMINT_RETURN_IF_ERROR(
      CheckAlone(curve, multiplier, key.get(), *offset, out, verified));
  if (*verified && audit) {
    PAIRMINT_RETURN_IF_ERROR(ComparePoint(curve, key.get(), out, verified));
  }
  if (!*verified) {
    SwitchOff(curve.name, "a check refused a public key");
  }
  return Status::Ok();
}

// Sets `verified` if our code computed the point and a check found it right.
Status PointByUs(const Curve &curve, const AbortFlag &abort,
                 const BignumPtr &key, MutableByteSpan out, bool *verified) {
  // Once in a process, making tables takes milliseconds.
  PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
  const Multiplier multiplier = MultiplierFor(curve);
  PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
  if (multiplier.lanes != nullptr) {
    return PointByLanes(curve, multiplier, key, out, verified);
  }
  return multiplier.comb == nullptr
             ? Status::Ok()
             : PointByComb(curve, multiplier, abort, key, out, verified);
}

}  // namespace

Status MintAlone(const Curve &curve, const AbortFlag &abort, KeyPair *out) {
  BignumPtr key;
  PAIRMINT_RETURN_IF_ERROR(DrawPrivateKey(curve, &key));
  Bytes point(PointLen(curve));
  bool verified = false;
  if (TheCounts().Enough(curve)) {
    PAIRMINT_RETURN_IF_ERROR(PointByUs(curve, abort, key, point, &verified));
  }
  if (!verified) {
    PAIRMINT_RETURN_IF_ERROR(PublicPoint(curve, key.get(), point));
  }
  return EncodeWithPoint(curve, key.get(), point, out);
}

bool IsQuick(const Curve &curve) {
  return TheCounts().HadEnough(curve) && AreLanesReady(curve);
}

#if defined(PAIRMINT_TESTING)
void UseMasksForTest(const Curve &curve, bool use) {
  TheCounts().Set(curve, use ? kFirst : 0);
}
#endif

}  // namespace pairmint::ec
