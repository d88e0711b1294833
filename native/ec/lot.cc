#include "ec/lot.h"

#include <algorithm>

#include "ec/check.h"
#include "ec/verify.h"

namespace pairmint::ec {
namespace {

using core::AbortFlag;
using core::Status;
using core::StatusCode;

// Our own multiplications between two looks at the flag: 7 ms for P-521.
constexpr size_t kMultiplications = 8;

// A refusal alone proves nothing: a failed allocation inside OpenSSL looks the
// same. Only a point that OpenSSL computes otherwise does.
Status SwitchOffIfWrong(const Curve &curve,
                        std::span<const core::BignumPtr> keys,
                        core::ByteSpan points) {
  const size_t len = PointLen(curve);
  for (size_t i = 0; i < keys.size(); i++) {
    bool same = false;
    PAIRMINT_RETURN_IF_ERROR(ComparePoint(curve, keys[i].get(),
                                          points.subspan(i * len, len), &same));
    if (!same) {
      SwitchOff(curve.name, "OpenSSL refused a batch of public keys");
      break;
    }
  }
  return Status::Ok();
}

// Sets `verified` to whether those find the points right who are asked.
Status Verify(const Curve &curve, const Multiplier &multiplier,
              std::span<const core::BignumPtr> keys, core::ByteSpan points,
              bool *verified) {
  if (multiplier.lanes != nullptr) {
    PAIRMINT_RETURN_IF_ERROR(
        CheckPoints(curve, multiplier, keys, points, verified));
    if (!*verified) {
      // Lanes are wrong in one of the two computations; whose error it is does
      // not matter.
      SwitchOff(curve.name, "a check refused a batch of public keys");
      return Status::Ok();
    }
    if (!IsAuditDue(curve, kLotsOfAnAudit)) {
      return Status::Ok();
    }
  }
  PAIRMINT_RETURN_IF_ERROR(VerifyPoints(curve, keys, points, verified));
  return *verified ? Status::Ok() : SwitchOffIfWrong(curve, keys, points);
}

}  // namespace

Status CheckAbort(const AbortFlag &abort) {
  return abort.raised() ? Status(StatusCode::kAborted) : Status::Ok();
}

Status MultiplyVerified(const Curve &curve, const Multiplier &multiplier,
                        const AbortFlag &abort,
                        std::span<const core::BignumPtr> keys,
                        core::MutableByteSpan out, bool *verified) {
  const size_t len = PointLen(curve);
  for (size_t at = 0; at < keys.size(); at += kMultiplications) {
    const size_t count = std::min(kMultiplications, keys.size() - at);
    PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
    PAIRMINT_RETURN_IF_ERROR(
        MultiplyUnchecked(curve, multiplier, keys.subspan(at, count),
                          out.subspan(at * len, count * len)));
  }
  PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
  return Verify(curve, multiplier, keys, out, verified);
}

}  // namespace pairmint::ec
