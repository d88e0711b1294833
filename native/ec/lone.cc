#include "ec/lone.h"

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "ec/cpu_time.h"
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
// As many of either kind are timed, in turn, since the speed of a machine
// varies. A lot of masks serves them all.
constexpr size_t kTrial = kMaxLot;

// What something took so far.
struct Tally {
  size_t count = 0;
  double milliseconds = 0;

  [[nodiscard]] double mean() const {
    return count == 0 ? 0 : milliseconds / static_cast<double>(count);
  }
};

// What came of a curve's pairs by OpenSSL, of those under masks, and of making
// the masks.
struct Trial {
  size_t first = 0;
  Tally openssl, masked, masks;

  [[nodiscard]] bool begun() const { return first >= kFirst; }
  [[nodiscard]] bool over() const { return masked.count >= kTrial; }
  // A pair under a mask costs the mask as well: MakeMasks is counted for each
  // of its kMaxLot masks.
  [[nodiscard]] bool UseMasks() const {
    return over() ? masked.mean() + masks.mean() < openssl.mean()
                  : begun() && masked.count <= openssl.count;
  }
};

class Trials {
 public:
  bool UseMasks(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Trial &trial = trials_[&curve];
    const bool use = trial.UseMasks();
    trial.first += trial.begun() ? 0 : 1;
    return use;
  }

  // Adds the time since `began` to that of `count` more.
  void Record(const Curve &curve, Tally Trial::*of, size_t count,
              double began) {
    const double milliseconds = MillisecondsNow() - began;
    const std::lock_guard<std::mutex> lock(mutex_);
    Trial &trial = trials_[&curve];
    if (trial.begun() && !trial.over()) {
      (trial.*of).count += count;
      (trial.*of).milliseconds += milliseconds;
    }
  }

  void Set(const Curve &curve, const Trial &trial) {
    const std::lock_guard<std::mutex> lock(mutex_);
    trials_[&curve] = trial;
  }

 private:
  std::mutex mutex_;
  std::map<const Curve *, Trial> trials_;
};

// Never destroyed: a worker may still mint while the process exits.
Trials &TheTrials() {
  static Trials *trials = new Trials;
  return *trials;
}

// Gives a mask. `out` stays empty if OpenSSL refuses the lot that was made.
Status MaskFor(const Curve &curve, const Multiplier &multiplier,
               const AbortFlag &abort, std::optional<Mask> *out) {
  *out = TakeMask(curve);
  if (*out) {
    return Status::Ok();
  }
  const double began = MillisecondsNow();
  PAIRMINT_RETURN_IF_ERROR(MakeMasks(curve, multiplier, abort, out));
  TheTrials().Record(curve, &Trial::masks, kMaxLot, began);
  return Status::Ok();
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
    SwitchOff(curve, "OpenSSL refused a public key");
  }
  return Status::Ok();
}

// Sets `verified` if `out` is the point of the key.
Status PointByMask(const Curve &curve, const AbortFlag &abort,
                   const BignumPtr &key, MutableByteSpan out, bool *verified) {
  // Once in a process, both take tens of milliseconds.
  PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
  const Multiplier multiplier = MultiplierFor(curve);
  PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
  if (multiplier.comb == nullptr || GroupWithMultiples(curve) == nullptr) {
    return Status::Ok();
  }
  PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
  std::optional<Mask> mask;
  PAIRMINT_RETURN_IF_ERROR(MaskFor(curve, multiplier, abort, &mask));
  if (!mask) {
    return Status::Ok();
  }
  const double began = MillisecondsNow();
  PAIRMINT_RETURN_IF_ERROR(MultiplyUnchecked(
      curve, multiplier, std::span<const BignumPtr>(&key, 1), out));
  PAIRMINT_RETURN_IF_ERROR(
      VerifyByMask(curve, key.get(), *mask, out, verified));
  TheTrials().Record(curve, &Trial::masked, 1, began);
  return *verified ? Status::Ok()
                   : SwitchOffIfWrong(curve, key.get(), *mask, out);
}

Status PointByOpenSsl(const Curve &curve, const BIGNUM *key,
                      MutableByteSpan out) {
  const double began = MillisecondsNow();
  PAIRMINT_RETURN_IF_ERROR(PublicPoint(curve, key, out));
  TheTrials().Record(curve, &Trial::openssl, 1, began);
  return Status::Ok();
}

}  // namespace

Status MintAlone(const Curve &curve, const AbortFlag &abort, KeyPair *out) {
  BignumPtr key;
  PAIRMINT_RETURN_IF_ERROR(DrawPrivateKey(curve, &key));
  Bytes point(PointLen(curve));
  bool verified = false;
  if (TheTrials().UseMasks(curve)) {
    PAIRMINT_RETURN_IF_ERROR(PointByMask(curve, abort, key, point, &verified));
  }
  if (!verified) {
    PAIRMINT_RETURN_IF_ERROR(PointByOpenSsl(curve, key.get(), point));
  }
  return EncodeWithPoint(curve, key.get(), point, out);
}

#if defined(PAIRMINT_TESTING)
void UseMasksForTest(const Curve &curve, bool use) {
  Trial trial;
  if (use) {
    trial.openssl = {kTrial, 1};
    trial.masked = {kTrial, 0};
  }
  TheTrials().Set(curve, trial);
}
#endif

}  // namespace pairmint::ec
