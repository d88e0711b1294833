// EC_POINTs_mul is deprecated, not replaced: adding the points one by one would
// take three times as long.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "ec/verify.h"

#include <algorithm>
#include <vector>

#include "core/random.h"
#include "ec/multiples.h"

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::ByteSpan;
using core::Failed;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

constexpr const char *kCheck = "the check of EC keys";

// If point i differs from the right one by E, which is not infinity, the sums
// agree only if factors[i] * E is a certain point. E has the prime order n, and
// factors are below 2^128 < n, so that only one of them leads there. (A group
// with small subgroups would need a look at the cofactor; these curves have
// cofactor 1.) The multiplication takes time in proportion to the factors'
// length: as long as the order they would take two to four times as long for no
// purpose, and with half the length a wrong point would pass once in 2^64.
constexpr size_t kFactorLen = 16;

// The point of the encoding; none if OpenSSL refuses it: it is not on the
// curve, or memory ran out, which OpenSSL does not tell apart.
Status Decode(const EC_GROUP *group, ByteSpan encoded, BN_CTX *ctx,
              PointPtr *out) {
  PointPtr point(EC_POINT_new(group));
  if (point == nullptr) {
    return Failed(kCheck);
  }
  // A point off the curve must not reach the sum: formulas of addition that do
  // not use b take it for a point of another curve, whose group may have the
  // small orders that the argument above excludes.
  if (EC_POINT_oct2point(group, point.get(), encoded.data(), encoded.size(),
                         ctx) == 1) {
    *out = std::move(point);
  }
  return Status::Ok();
}

// sum(factors[i] * points[i]). Time depends on the factors alone. They are
// fresh random numbers, independent of the keys, and the combined key stays
// secret.
PointPtr CombinedPointVarTime(const EC_GROUP *group,
                              const std::vector<PointPtr> &points,
                              const std::vector<BignumPtr> &factors,
                              BN_CTX *ctx) {
  std::vector<const EC_POINT *> p;
  std::vector<const BIGNUM *> r;
  for (size_t i = 0; i < points.size(); i++) {
    p.push_back(points[i].get());
    r.push_back(factors[i].get());
  }
  PointPtr out(EC_POINT_new(group));
  // Interleaved: one chain of 128 doublings serves all points.
  if (out == nullptr || EC_POINTs_mul(group, out.get(), nullptr, p.size(),
                                      p.data(), r.data(), ctx) != 1) {
    return nullptr;
  }
  return out;
}

Status Compare(const EC_GROUP *group, const EC_POINT *a, const EC_POINT *b,
               BN_CTX *ctx, bool *out) {
  // Points may have any Z: OpenSSL multiplies crosswise. 1 is "different", -1 a
  // failure, which must not be taken for either.
  const int difference = EC_POINT_cmp(group, a, b, ctx);
  if (difference < 0) {
    return Failed(kCheck);
  }
  *out = difference == 0;
  return Status::Ok();
}

}  // namespace

Status DrawFactors(size_t count, std::vector<BignumPtr> *out) {
  SecretBytes bytes(count * kFactorLen);
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(bytes.mutable_span()));
  for (size_t i = 0; i < count; i++) {
    out->emplace_back(
        BN_bin2bn(bytes.data() + i * kFactorLen, kFactorLen, nullptr));
    if (out->back() == nullptr) {
      return Failed(kCheck);
    }
  }
  return Status::Ok();
}

BignumPtr CombinedKey(const EC_GROUP *group, std::span<const BignumPtr> keys,
                      const std::vector<BignumPtr> &factors, BN_CTX *ctx) {
  const BIGNUM *n = EC_GROUP_get0_order(group);
  BN_MONT_CTX *mont = EC_GROUP_get_mont_data(group);
  BignumPtr sum(BN_new());
  const BignumPtr product(BN_new());
  if (mont == nullptr || sum == nullptr || product == nullptr) {
    return nullptr;
  }
  // BN_FLG_CONSTTIME marks both for functions that heed it; neither of those
  // below branches on its numbers. A private key times a public factor would be
  // as good as the key.
  BN_zero(sum.get());
  BN_set_flags(sum.get(), BN_FLG_CONSTTIME);
  BN_set_flags(product.get(), BN_FLG_CONSTTIME);
  for (size_t i = 0; i < keys.size(); i++) {
    // Factors and keys are below n, and so are products and sums. Without the
    // conversion of either, a product is factor * key / R.
    if (BN_mod_mul_montgomery(product.get(), factors[i].get(), keys[i].get(),
                              mont, ctx) != 1 ||
        BN_mod_add_quick(sum.get(), sum.get(), product.get(), n) != 1) {
      return nullptr;
    }
  }
  // Each product lacks the factor R, and so does their sum.
  return BN_to_montgomery(sum.get(), sum.get(), mont, ctx) == 1 ? std::move(sum)
                                                                : nullptr;
}

Status VerifyPoints(const Curve &curve, std::span<const BignumPtr> keys,
                    ByteSpan points, bool *out) {
  const EC_GROUP *group = GroupOf(curve);
  const BnCtxPtr ctx(BN_CTX_secure_new());
  if (group == nullptr || ctx == nullptr) {
    return Failed(kCheck);
  }
  std::vector<PointPtr> decoded;
  for (size_t i = 0; i < keys.size(); i++) {
    const ByteSpan point = points.subspan(i * PointLen(curve), PointLen(curve));
    decoded.emplace_back();
    PAIRMINT_RETURN_IF_ERROR(Decode(group, point, ctx.get(), &decoded.back()));
    if (decoded.back() == nullptr) {
      *out = false;
      return Status::Ok();
    }
  }
  // Drawn when the points are fixed, or they could be made to fit.
  std::vector<BignumPtr> factors;
  PAIRMINT_RETURN_IF_ERROR(DrawFactors(keys.size(), &factors));
  const BignumPtr key = CombinedKey(group, keys, factors, ctx.get());
  const PointPtr expected(EC_POINT_new(group));
  const PointPtr sum = CombinedPointVarTime(group, decoded, factors, ctx.get());
  if (key == nullptr || expected == nullptr || sum == nullptr ||
      EC_POINT_mul(group, expected.get(), key.get(), nullptr, nullptr,
                   ctx.get()) != 1) {
    return Failed(kCheck);
  }
  return Compare(group, sum.get(), expected.get(), ctx.get(), out);
}

Status ComparePoint(const Curve &curve, const BIGNUM *key, ByteSpan point,
                    bool *same) {
  core::Bytes expected(PointLen(curve));
  // In constant time: this is the private key itself, without a mask. The
  // encoding is canonical, one string for each point, so that equal bytes are
  // equal points.
  PAIRMINT_RETURN_IF_ERROR(PublicPoint(curve, key, expected));
  *same =
      std::equal(point.begin(), point.end(), expected.begin(), expected.end());
  return Status::Ok();
}

// Both are below n, so their sum is below 2 n and BN_mod_add_quick subtracts n
// once at most, under a mask. r is never 0 (nor n - 1 on SM2): s rules out one
// private key, or two, of nearly 2^N, which no attacker gains by.
BignumPtr MaskedKey(const EC_GROUP *group, const BIGNUM *key, const BIGNUM *r) {
  BignumPtr sum(BN_new());
  return sum != nullptr && BN_mod_add_quick(sum.get(), key, r,
                                            EC_GROUP_get0_order(group)) == 1
             ? std::move(sum)
             : nullptr;
}

Status VerifyByMask(const Curve &curve, const BIGNUM *key, const Mask &mask,
                    ByteSpan point, bool *out) {
  const EC_GROUP *group = GroupWithMultiples(curve);
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr r(
      BN_bin2bn(mask.r.data(), static_cast<int>(mask.r.size()), nullptr));
  if (group == nullptr || ctx == nullptr || r == nullptr) {
    return Failed(kCheck);
  }
  PointPtr R, P;
  // R was verified once and is decoded again here, which checks that it is on
  // the curve: a mask that was damaged since is refused, not used.
  PAIRMINT_RETURN_IF_ERROR(Decode(group, mask.point, ctx.get(), &R));
  PAIRMINT_RETURN_IF_ERROR(Decode(group, point, ctx.get(), &P));
  if (R == nullptr || P == nullptr) {
    *out = false;
    return Status::Ok();
  }
  const BignumPtr s = MaskedKey(group, key, r.get());
  const PointPtr expected(EC_POINT_new(group));
  const EC_POINT *points[] = {R.get()};
  const BIGNUM *factors[] = {BN_value_one()};
  // A factor of the generator alone would be taken for a secret, and multiplied
  // in constant time.
  if (s == nullptr || expected == nullptr ||
      EC_POINT_invert(group, R.get(), ctx.get()) != 1 ||
      EC_POINTs_mul(group, expected.get(), s.get(), 1, points, factors,
                    ctx.get()) != 1) {
    return Failed(kCheck);
  }
  return Compare(group, P.get(), expected.get(), ctx.get(), out);
}

}  // namespace pairmint::ec
