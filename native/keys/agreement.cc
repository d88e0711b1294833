#include "keys/agreement.h"

#include <openssl/ec.h>

#include "core/openssl.h"
#include "ec/curve.h"
#include "keys/key_parts.h"

namespace pairmint::keys {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::ByteSpan;
using core::Failed;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

using GroupPtr = core::OpenSslPtr<EC_GROUP, EC_GROUP_free>;
using PointPtr = core::OpenSslPtr<EC_POINT, EC_POINT_clear_free>;

Status Refused() {
  return Status(StatusCode::kInvalidArgument,
                "the public key is no point on the private key's curve");
}

// x of d * Q. Below EVP, whose ECDH does the same multiplication but not on
// SM2's curve.
Status Multiply(const ec::Curve &curve, ByteSpan private_key,
                ByteSpan public_point, SecretBytes *out) {
  const GroupPtr group(EC_GROUP_new_by_curve_name(curve.nid));
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr d(BN_secure_new());
  const BignumPtr x(BN_secure_new());
  if (group == nullptr || ctx == nullptr || d == nullptr || x == nullptr) {
    return Failed("ECDH");
  }
  const PointPtr theirs(EC_POINT_new(group.get()));
  const PointPtr product(EC_POINT_new(group.get()));
  BN_set_flags(d.get(), BN_FLG_CONSTTIME);
  if (theirs == nullptr || product == nullptr ||
      BN_bin2bn(private_key.data(), static_cast<int>(private_key.size()),
                d.get()) == nullptr) {
    return Failed("ECDH");
  }
  // Refuses what is not on the curve; the group has prime order, so that
  // everything else but the point at infinity generates it.
  if (EC_POINT_oct2point(group.get(), theirs.get(), public_point.data(),
                         public_point.size(), ctx.get()) != 1 ||
      EC_POINT_is_at_infinity(group.get(), theirs.get()) == 1) {
    return Refused();
  }
  SecretBytes secret(curve.field_len);
  if (EC_POINT_mul(group.get(), product.get(), nullptr, theirs.get(), d.get(),
                   ctx.get()) != 1 ||
      EC_POINT_get_affine_coordinates(group.get(), product.get(), x.get(),
                                      nullptr, ctx.get()) != 1 ||
      BN_bn2binpad(x.get(), secret.data(), static_cast<int>(secret.size())) <
          0) {
    return Failed("ECDH");
  }
  *out = std::move(secret);
  return Status::Ok();
}

}  // namespace

Status DeriveSharedSecret(ByteSpan pkcs8, ByteSpan spki, SecretBytes *out) {
  KeyParts ours;
  KeyParts theirs;
  if (!ReadPrivateKey(pkcs8, &ours) || !ReadPublicKey(spki, &theirs) ||
      ours.spec != theirs.spec || ours.spec->curve == nullptr) {
    return Refused();
  }
  return Multiply(*ec::FindCurve(ours.spec->curve), ours.secret,
                  theirs.public_key, out);
}

}  // namespace pairmint::keys
