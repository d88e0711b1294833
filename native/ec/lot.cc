#include "ec/lot.h"

#include <algorithm>

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
      SwitchOff(curve, "OpenSSL refused a batch of public keys");
      break;
    }
  }
  return Status::Ok();
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
  PAIRMINT_RETURN_IF_ERROR(VerifyPoints(curve, keys, out, verified));
  return *verified ? Status::Ok() : SwitchOffIfWrong(curve, keys, out);
}

}  // namespace pairmint::ec
