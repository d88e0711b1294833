#include "ec/batch.h"

#include <vector>

#include "ec/affine.h"
#include "ec/dispatch.h"
#include "ec/lot.h"

namespace pairmint::ec {
namespace {

using core::AbortFlag;
using core::BignumPtr;
using core::Bytes;
using core::KeyPair;
using core::MutableByteSpan;
using core::Status;

using Keys = std::span<const BignumPtr>;

Status PointsByOpenSsl(const Curve &curve, const AbortFlag &abort, Keys keys,
                       MutableByteSpan out) {
  if (keys.size() == 1) {
    // OpenSSL's inversion for P-256 alone takes a fifth of that for a lot.
    PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
    return PublicPoint(curve, keys[0].get(), out);
  }
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
  if (multiplier.exists()) {
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

}  // namespace

Status MintSeveral(const Curve &curve, const AbortFlag &abort,
                   std::span<KeyPair> out) {
  // In lots of much the same size.
  const size_t num_lots = (out.size() + kMaxLot - 1) / kMaxLot;
  for (size_t i = 0; i < num_lots; i++) {
    const size_t begin = out.size() * i / num_lots;
    const size_t end = out.size() * (i + 1) / num_lots;
    PAIRMINT_RETURN_IF_ERROR(
        MintLot(curve, abort, out.subspan(begin, end - begin)));
  }
  return Status::Ok();
}

}  // namespace pairmint::ec
