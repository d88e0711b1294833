#include "ec/masks.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/process_number.h"
#include "ec/lot.h"

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::Bytes;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

using Masks = std::vector<Mask>;

class Stock {
 public:
  std::optional<Mask> Take(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Masks &masks = Of(curve);
    if (masks.empty()) {
      return std::nullopt;
    }
    // Moved out under the lock, so that no two callers get the same mask: the
    // difference of two sums under one mask is that of two private keys.
    Mask mask = std::move(masks.back());
    masks.pop_back();
    return mask;
  }

  void Put(const Curve &curve, Masks made) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::move(made.begin(), made.end(), std::back_inserter(Of(curve)));
  }

  // A process that was forked off has the same masks as its parent, and two
  // keys under one mask would tell their difference: it makes its own.
  Masks &Of(const Curve &curve) {
    if (const uint64_t process = core::ProcessNumber(); process != process_) {
      process_ = process;
      masks_.clear();
    }
    return masks_[&curve];
  }

 private:
  std::mutex mutex_;
  uint64_t process_ = 0;
  std::map<const Curve *, Masks> masks_;
};

// Never destroyed: a worker may still take a mask while the process exits.
Stock &TheStock() {
  static Stock *stock = new Stock;
  return *stock;
}

}  // namespace

std::optional<Mask> TakeMask(const Curve &curve) {
  return TheStock().Take(curve);
}

Status MakeMasks(const Curve &curve, const Multiplier &multiplier,
                 const core::AbortFlag &abort, std::optional<Mask> *out) {
  // r is drawn as keys are, uniformly, and R is verified like a public key:
  // VerifyByMask relies on both.
  std::array<BignumPtr, kMaxLot> numbers;
  for (BignumPtr &r : numbers) {
    PAIRMINT_RETURN_IF_ERROR(DrawPrivateKey(curve, &r));
  }
  const size_t len = PointLen(curve);
  Bytes points(numbers.size() * len);
  bool verified = false;
  PAIRMINT_RETURN_IF_ERROR(
      MultiplyVerified(curve, multiplier, abort, numbers, points, &verified));
  if (!verified) {
    return Status::Ok();
  }
  Masks made(numbers.size());
  for (size_t i = 0; i < made.size(); i++) {
    made[i].r = SecretBytes(curve.field_len);
    const auto point = points.begin() + static_cast<ptrdiff_t>(i * len);
    made[i].point.assign(point, point + static_cast<ptrdiff_t>(len));
    if (BN_bn2binpad(numbers[i].get(), made[i].r.data(),
                     static_cast<int>(made[i].r.size())) < 0) {
      return core::Failed(kKeyGeneration);
    }
  }
  *out = std::move(made.back());
  made.pop_back();
  TheStock().Put(curve, std::move(made));
  return Status::Ok();
}

#if defined(PAIRMINT_TESTING)
std::vector<Mask> &StockForTest(const Curve &curve) {
  return TheStock().Of(curve);
}
#endif

}  // namespace pairmint::ec
