#include "ec/batch.h"

#include <algorithm>
#include <vector>

#include "ec/affine.h"
#include "ec/dispatch.h"
#include "ec/lone.h"
#include "ec/lot.h"

namespace pairmint::ec {
namespace {

using core::AbortFlag;
using core::BignumPtr;
using core::Bytes;
using core::KeyPair;
using core::MutableByteSpan;
using core::Status;

// With two, a mask for each takes less time; with three it is much the same,
// and a process that mints a few pairs needs no tables.
constexpr size_t kMinLot = 4;

using Keys = std::span<const BignumPtr>;

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
  const Multiplier multiplier = MultiplierFor(curve);
  if (multiplier.comb != nullptr) {
    bool verified = false;
    PAIRMINT_RETURN_IF_ERROR(
        MultiplyVerified(curve, multiplier, abort, keys, out, &verified));
    if (verified) {
      return Status::Ok();
    }
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

Status MintEachAlone(const Curve &curve, const AbortFlag &abort,
                     std::span<KeyPair> out) {
  for (KeyPair &pair : out) {
    PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
    PAIRMINT_RETURN_IF_ERROR(MintAlone(curve, abort, &pair));
  }
  return Status::Ok();
}

}  // namespace

Status MintSeveral(const Curve &curve, const AbortFlag &abort,
                   std::span<KeyPair> out) {
  for (size_t at = 0; at < out.size(); at += kMaxLot) {
    const size_t count = std::min(kMaxLot, out.size() - at);
    const auto mint = count < kMinLot ? MintEachAlone : MintLot;
    PAIRMINT_RETURN_IF_ERROR(mint(curve, abort, out.subspan(at, count)));
  }
  return Status::Ok();
}

}  // namespace pairmint::ec
