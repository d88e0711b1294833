#include "ec/curve.h"

#include <openssl/obj_mac.h>

#include <array>
#include <cstring>
#include <utility>

#include "core/der.h"
#include "core/random.h"

namespace pairmint::ec {
namespace {

namespace der = core::der;

using core::BignumPtr;
using core::BnCtxPtr;
using core::ByteSpan;
using core::DerWriter;
using core::Failed;
using core::KeyPair;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

constexpr std::array<uint8_t, 9> kEcPublicKeyOid = {
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr std::array<uint8_t, 10> kP256Oid = {0x06, 0x08, 0x2a, 0x86, 0x48,
                                              0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::array<uint8_t, 7> kP384Oid = {0x06, 0x05, 0x2b, 0x81,
                                             0x04, 0x00, 0x22};
constexpr std::array<uint8_t, 7> kP521Oid = {0x06, 0x05, 0x2b, 0x81,
                                             0x04, 0x00, 0x23};
constexpr std::array<uint8_t, 7> kSecp256k1Oid = {0x06, 0x05, 0x2b, 0x81,
                                                  0x04, 0x00, 0x0a};
// 1.2.156.10197.1.301, GM/T 0006
constexpr std::array<uint8_t, 10> kSm2Oid = {0x06, 0x08, 0x2a, 0x81, 0x1c,
                                             0xcf, 0x55, 0x01, 0x82, 0x2d};

constexpr std::array<Curve, 5> kCurves = {{
    {"P-256", NID_X9_62_prime256v1, 32, kP256Oid, 0},
    {"P-384", NID_secp384r1, 48, kP384Oid, 0},
    {"P-521", NID_secp521r1, 66, kP521Oid, 0},
    {"secp256k1", NID_secp256k1, 32, kSecp256k1Oid, 0},
    {"SM2", NID_sm2, 32, kSm2Oid, 1},
}};

// P-521, whose numbers have 521 bits, is the longest.
constexpr size_t kMaxFieldLen = 66;
constexpr size_t kMaxPointLen = 1 + 2 * kMaxFieldLen;
// Its PrivateKeyInfo has 241 bytes. A DerWriter without room says so, and the
// key is not answered.
constexpr size_t kMaxEncodedLen = 256;

void WriteAlgorithm(const Curve &curve, DerWriter *der) {
  const size_t end = der->position();
  der->Bytes(curve.oid);
  der->Bytes(kEcPublicKeyOid);
  der->Header(der::kSequence, end);
}

void WritePoint(ByteSpan point, DerWriter *der) {
  const size_t end = der->position();
  der->Bytes(point);
  der->BitStringHeader(end);
}

void WritePublic(const Curve &curve, ByteSpan point, DerWriter *der) {
  const size_t end = der->position();
  WritePoint(point, der);
  WriteAlgorithm(curve, der);
  der->Header(der::kSequence, end);
}

void WritePrivate(const Curve &curve, const BIGNUM *d, ByteSpan point,
                  DerWriter *der) {
  const size_t end = der->position();
  WritePoint(point, der);
  der->Header(der::kConstructed1, end);
  der->PaddedNumber(der::kOctetString, d, curve.field_len);
  der->SmallInteger(1);
  der->Header(der::kSequence, end);
  der->Header(der::kOctetString, end);
  WriteAlgorithm(curve, der);
  der->SmallInteger(0);
  der->Header(der::kSequence, end);
}

}  // namespace

std::span<const Curve> Curves() { return kCurves; }

const Curve *FindCurve(const char *name) {
  for (const Curve &curve : kCurves) {
    if (strcmp(curve.name, name) == 0) {
      return &curve;
    }
  }
  return nullptr;
}

// Built once a process: making a group takes longer than using it. One that
// could not be made, for want of memory, is tried again.
const EC_GROUP *GroupOf(const Curve &curve) {
  static std::array<core::Kept<EC_GROUP>, kCurves.size()> groups;
  return groups[static_cast<size_t>(&curve - kCurves.data())].Get(
      [&curve] { return EC_GROUP_new_by_curve_name(curve.nid); },
      EC_GROUP_free);
}

// FIPS 186-5, A.2.2: c of N bits, refused above n - 2 (n - 3 for SM2), d = c+1.
Status DrawPrivateKey(const Curve &curve, BignumPtr *out) {
  const EC_GROUP *group = GroupOf(curve);
  BignumPtr d(BN_new());
  if (group == nullptr || d == nullptr) {
    return Failed(kKeyGeneration);
  }
  const BignumPtr limit(BN_dup(EC_GROUP_get0_order(group)));
  if (limit == nullptr ||
      BN_sub_word(limit.get(), 2 + curve.order_margin) != 1) {
    return Failed(kKeyGeneration);
  }
  BN_set_flags(d.get(), BN_FLG_CONSTTIME);
  // Only P-521 has any: 528 bits of bytes for a number of 521.
  const size_t excess_bits =
      curve.field_len * 8 - static_cast<size_t>(EC_GROUP_order_bits(group));
  SecretBytes c(curve.field_len);
  // n is at least 2^(N-1), so each draw passes with probability 1/2 or more.
  // The orders of our curves are so close to 2^N that fewer than one draw in
  // 2^31 is refused.
  do {
    PAIRMINT_RETURN_IF_ERROR(core::FillRandom(c.mutable_span()));
    c.data()[0] &= static_cast<uint8_t>(0xff >> excess_bits);
    if (BN_bin2bn(c.data(), static_cast<int>(c.size()), d.get()) == nullptr) {
      return Failed(kKeyGeneration);
    }
  } while (BN_cmp(d.get(), limit.get()) > 0);  // leaks only refused candidates
  // c is uniform in [0, n - 2 - order_margin], and d from 1 on. Taking a longer
  // number modulo n - 1 instead (A.2.1) draws once, but is uniform only up to a
  // bias that 64 more bits make 2^-64, and divides.
  if (BN_add_word(d.get(), 1) != 1) {
    return Failed(kKeyGeneration);
  }
  *out = std::move(d);
  return Status::Ok();
}

Status Multiple(const Curve &curve, const BIGNUM *d, PointPtr *out) {
  const EC_GROUP *group = GroupOf(curve);
  const BnCtxPtr ctx(BN_CTX_new());
  if (group == nullptr || ctx == nullptr) {
    return Failed(kKeyGeneration);
  }
  PointPtr point(EC_POINT_new(group));
  // OpenSSL takes a factor of the generator alone for a secret: it multiplies
  // with a Montgomery ladder of as many steps as the order has bits, or with
  // code for this curve, whose time depends on the factor no more than that.
  if (point == nullptr ||
      EC_POINT_mul(group, point.get(), d, nullptr, nullptr, ctx.get()) != 1) {
    return Failed(kKeyGeneration);
  }
  *out = std::move(point);
  return Status::Ok();
}

Status PublicPoint(const Curve &curve, const BIGNUM *d,
                   core::MutableByteSpan out) {
  PointPtr point;
  PAIRMINT_RETURN_IF_ERROR(Multiple(curve, d, &point));
  if (EC_POINT_point2oct(GroupOf(curve), point.get(),
                         POINT_CONVERSION_UNCOMPRESSED, out.data(), out.size(),
                         nullptr) != out.size()) {
    return Failed(kKeyGeneration);
  }
  return Status::Ok();
}

Status EncodeWithPoint(const Curve &curve, const BIGNUM *d, ByteSpan point,
                       KeyPair *out) {
  std::array<uint8_t, kMaxEncodedLen> public_buffer;
  SecretBytes private_buffer(kMaxEncodedLen);
  DerWriter public_der(public_buffer);
  DerWriter private_der(private_buffer.mutable_span());
  WritePublic(curve, point, &public_der);
  WritePrivate(curve, d, point, &private_der);
  if (!public_der.ok() || !private_der.ok()) {
    return Failed(kKeyGeneration);
  }
  // PaddedNumber writes d in the length of the field, zeros in front included
  // (RFC 5915, section 3): the length of the encoding tells nothing of d.
  const ByteSpan spki = public_der.written();
  out->public_key.assign(spki.begin(), spki.end());
  out->private_key = SecretBytes(private_der.written());
  return Status::Ok();
}

Status Encode(const Curve &curve, const BIGNUM *d, KeyPair *out) {
  std::array<uint8_t, kMaxPointLen> buffer;
  const core::MutableByteSpan point(buffer.data(), PointLen(curve));
  PAIRMINT_RETURN_IF_ERROR(PublicPoint(curve, d, point));
  return EncodeWithPoint(curve, d, point, out);
}

Status Mint(const Curve &curve, KeyPair *out) {
  BignumPtr d;
  PAIRMINT_RETURN_IF_ERROR(DrawPrivateKey(curve, &d));
  return Encode(curve, d.get(), out);
}

}  // namespace pairmint::ec
