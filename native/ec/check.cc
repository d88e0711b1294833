#include "ec/check.h"

#include <utility>
#include <vector>

#include "core/words.h"
#include "ec/verify.h"

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::ByteSpan;
using core::Failed;
using core::Status;

constexpr const char *kCheck = "the check of EC keys";

using Words = std::vector<uint64_t>;

// A point that comes of a private key: which of its X, Y and Z it has tells
// something of the key.
class SecretPoint {
 public:
  explicit SecretPoint(const Lanes &lanes)
      : bytes_(3 * lanes.num_limbs * core::kWordLen) {}

  uint64_t *data() { return reinterpret_cast<uint64_t *>(bytes_.data()); }

 private:
  core::SecretBytes bytes_;
};

// x and y of an uncompressed point, `len` words each.
void ToAffine(const Curve &curve, ByteSpan point, size_t len, uint64_t *out) {
  core::ToWords(point.subspan(1, curve.field_len), {out, len});
  core::ToWords(point.last(curve.field_len), {out + len, len});
}

// The points, none of them off the curve; empty if one is. A point off the
// curve must not reach a sum: see Decode in verify.cc.
Words ToAffines(const Curve &curve, const Multiplier &multiplier, size_t count,
                ByteSpan points) {
  const size_t len = multiplier.lanes->num_limbs;
  Words out(count * 2 * len);
  for (size_t i = 0; i < count; i++) {
    const ByteSpan point = points.subspan(i * PointLen(curve), PointLen(curve));
    ToAffine(curve, point, len, &out[i * 2 * len]);
    if (point[0] != POINT_CONVERSION_UNCOMPRESSED ||
        !multiplier.plain->IsOnCurve(&out[i * 2 * len])) {
      return {};
    }
  }
  return out;
}

}  // namespace

Status CheckPoints(const Curve &curve, const Multiplier &multiplier,
                   std::span<const BignumPtr> keys, ByteSpan points,
                   bool *out) {
  const EC_GROUP *group = GroupOf(curve);
  const BnCtxPtr ctx(BN_CTX_secure_new());
  if (group == nullptr || ctx == nullptr) {
    return Failed(kCheck);
  }
  *out = false;
  const Words affine = ToAffines(curve, multiplier, keys.size(), points);
  if (affine.empty()) {
    return Status::Ok();
  }
  // Drawn when the points are fixed, or they could be made to fit.
  std::vector<BignumPtr> factors;
  PAIRMINT_RETURN_IF_ERROR(DrawFactors(keys.size(), &factors));
  const BignumPtr key = CombinedKey(group, keys, factors, ctx.get());
  Words factor_words(keys.size() * kFactorWords);
  for (size_t i = 0; i < keys.size(); i++) {
    if (!core::ToWords(factors[i].get(),
                       {&factor_words[i * kFactorWords], kFactorWords})) {
      return Failed(kCheck);
    }
  }
  const Lanes &lanes = *multiplier.lanes;
  SecretPoint expected(lanes);
  Words sum(3 * lanes.num_limbs);
  if (key == nullptr) {
    return Failed(kCheck);
  }
  PAIRMINT_RETURN_IF_ERROR(MultiplySplit(multiplier, LanesTable::kFourBits,
                                         key.get(), expected.data()));
  // Nothing secret: points that will be published, and factors.
  AlignedWords workspace(lanes.combine_workspace_size);
  lanes.combine(multiplier.table, keys.size(), factor_words.data(),
                affine.data(), workspace.data(), sum.data());
  *out = multiplier.plain->AreSame(sum.data(), expected.data());
  WipeStack();
  return Status::Ok();
}

Status MakeOffset(const Curve &curve, std::unique_ptr<Offset> *out) {
  BignumPtr m;
  PAIRMINT_RETURN_IF_ERROR(DrawPrivateKey(curve, &m));
  auto made = std::make_unique<Offset>();
  made->m = core::SecretBytes(curve.field_len);
  made->point.resize(PointLen(curve));
  PAIRMINT_RETURN_IF_ERROR(PublicPoint(curve, m.get(), made->point));
  if (BN_bn2binpad(m.get(), made->m.data(), static_cast<int>(made->m.size())) <
      0) {
    return Failed(kCheck);
  }
  *out = std::move(made);
  return Status::Ok();
}

Status CheckAlone(const Curve &curve, const Multiplier &multiplier,
                  const BIGNUM *key, const Offset &offset, ByteSpan point,
                  bool *out) {
  const EC_GROUP *group = GroupOf(curve);
  const BignumPtr m(
      BN_bin2bn(offset.m.data(), static_cast<int>(offset.m.size()), nullptr));
  if (group == nullptr || m == nullptr) {
    return Failed(kCheck);
  }
  *out = false;
  const Words P = ToAffines(curve, multiplier, 1, point);
  const Words M = ToAffines(curve, multiplier, 1, offset.point);
  if (P.empty() || M.empty()) {
    return Status::Ok();
  }
  const BignumPtr s = MaskedKey(group, key, m.get());
  if (s == nullptr) {
    return Failed(kCheck);
  }
  SecretPoint expected(*multiplier.lanes);
  SecretPoint sum(*multiplier.lanes);
  PAIRMINT_RETURN_IF_ERROR(MultiplySplit(multiplier, LanesTable::kFiveBits,
                                         s.get(), expected.data()));
  multiplier.plain->Add(P.data(), M.data(), sum.data());
  *out = multiplier.plain->AreSame(sum.data(), expected.data());
  WipeStack();
  return Status::Ok();
}

}  // namespace pairmint::ec
