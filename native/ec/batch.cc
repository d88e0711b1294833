#include "ec/batch.h"

#include <algorithm>
#include <vector>

#include "ec/affine.h"
#include "ec/dispatch.h"
#include "ec/verify.h"

namespace pairmint::ec {
namespace {

using core::AbortFlag;
using core::BignumPtr;
using core::Bytes;
using core::KeyPair;
using core::MutableByteSpan;
using core::Status;
using core::StatusCode;

// The check takes one multiplication by OpenSSL for all pairs of a lot. With
// fewer it is no gain; more would take longer than an abandoned request may.
constexpr size_t kMinLot = 4;
constexpr size_t kMaxLot = 16;
// Our own multiplications between two looks at the flag: 7 ms for P-521.
constexpr size_t kMultiplications = 8;

using Keys = std::span<const BignumPtr>;

Status CheckAbort(const AbortFlag &abort) {
  return abort.raised() ? Status(StatusCode::kAborted) : Status::Ok();
}

// Sets `out` to whether `points` are those of the keys.
Status PointsByComb(const Curve &curve, const Multiplier &multiplier,
                    const AbortFlag &abort, Keys keys, MutableByteSpan points,
                    bool *out) {
  const size_t len = PointLen(curve);
  for (size_t at = 0; at < keys.size(); at += kMultiplications) {
    const size_t count = std::min(kMultiplications, keys.size() - at);
    PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
    PAIRMINT_RETURN_IF_ERROR(
        MultiplyUnchecked(curve, multiplier, keys.subspan(at, count),
                          points.subspan(at * len, count * len)));
  }
  PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
  return VerifyPoints(curve, keys, points, out);
}

Status PointsByOpenSsl(const Curve &curve, const AbortFlag &abort, Keys keys,
                       MutableByteSpan out) {
  std::vector<PointPtr> points(keys.size());
  for (size_t i = 0; i < keys.size(); i++) {
    PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
    PAIRMINT_RETURN_IF_ERROR(Multiple(curve, keys[i].get(), &points[i]));
  }
  return EncodePoints(curve, points, out);
}

Status Points(const Curve &curve, const AbortFlag &abort, Keys keys,
              MutableByteSpan out) {
  const Multiplier multiplier =
      keys.size() < kMinLot ? Multiplier{} : MultiplierFor(curve);
  if (multiplier.comb != nullptr) {
    bool verified = false;
    PAIRMINT_RETURN_IF_ERROR(
        PointsByComb(curve, multiplier, abort, keys, out, &verified));
    if (verified) {
      return Status::Ok();
    }
    SwitchOff(curve, "OpenSSL refused a batch of public keys");
  }
  return PointsByOpenSsl(curve, abort, keys, out);
}

Status MintLot(const Curve &curve, const AbortFlag &abort,
               std::span<KeyPair> out) {
  std::vector<BignumPtr> keys(out.size());
  for (BignumPtr &key : keys) {
    PAIRMINT_RETURN_IF_ERROR(DrawPrivateKey(curve, &key));
  }
  const size_t len = PointLen(curve);
  Bytes points(keys.size() * len);
  PAIRMINT_RETURN_IF_ERROR(Points(curve, abort, keys, points));
  for (size_t i = 0; i < keys.size(); i++) {
    PAIRMINT_RETURN_IF_ERROR(
        EncodeWithPoint(curve, keys[i].get(),
                        core::ByteSpan(points).subspan(i * len, len), &out[i]));
  }
  return Status::Ok();
}

}  // namespace

Status MintSeveral(const Curve &curve, const AbortFlag &abort,
                   std::span<KeyPair> out) {
  for (size_t at = 0; at < out.size(); at += kMaxLot) {
    const size_t count = std::min(kMaxLot, out.size() - at);
    PAIRMINT_RETURN_IF_ERROR(MintLot(curve, abort, out.subspan(at, count)));
  }
  return Status::Ok();
}

}  // namespace pairmint::ec
