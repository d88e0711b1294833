// EC_POINTs_make_affine is deprecated, not replaced; and of an affine point,
// too, what is not deprecated inverts Z again for P-256.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "ec/affine.h"

#include <vector>

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::Failed;
using core::MutableByteSpan;
using core::Status;
using core::StatusCode;

// An affine point's coordinates.
struct Coordinates {
  BignumPtr x{BN_new()}, y{BN_new()}, z{BN_new()};
};

bool WriteAffine(const Curve &curve, const EC_POINT *point, BN_CTX *ctx,
                 Coordinates *room, MutableByteSpan out) {
  // OpenSSL's point is (X / Z^2, Y / Z^3): with Z = 1, X and Y are what is
  // encoded. The point at infinity, which has no encoding of this length, keeps
  // Z = 0 and is refused here; a private key below n never leads to it.
  const int len = static_cast<int>(curve.field_len);
  out[0] = POINT_CONVERSION_UNCOMPRESSED;
  return EC_POINT_get_Jprojective_coordinates_GFp(GroupOf(curve), point,
                                                  room->x.get(), room->y.get(),
                                                  room->z.get(), ctx) == 1 &&
         BN_is_one(room->z.get()) &&
         BN_bn2binpad(room->x.get(), &out[1], len) == len &&
         BN_bn2binpad(room->y.get(), &out[1 + curve.field_len], len) == len;
}

}  // namespace

Status EncodePoints(const Curve &curve, std::span<const PointPtr> points,
                    MutableByteSpan out) {
  // Z says something of the private key.
  const BnCtxPtr ctx(BN_CTX_secure_new());
  Coordinates room;
  std::vector<EC_POINT *> all;
  all.reserve(points.size());
  for (const PointPtr &point : points) {
    all.push_back(point.get());
  }
  if (ctx == nullptr || room.x == nullptr || room.y == nullptr ||
      room.z == nullptr ||
      EC_POINTs_make_affine(GroupOf(curve), all.size(), all.data(),
                            ctx.get()) != 1) {
    return Failed(kKeyGeneration);
  }
  const size_t len = PointLen(curve);
  for (size_t i = 0; i < all.size(); i++) {
    if (!WriteAffine(curve, all[i], ctx.get(), &room,
                     out.subspan(i * len, len))) {
      return Failed(kKeyGeneration);
    }
  }
  return Status::Ok();
}

}  // namespace pairmint::ec
