// The arithmetic on curves, step by step, and broken combs.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "addon/job.h"
#include "addon/values.h"
#include "core/abort_flag.h"
#include "ec/batch.h"
#include "ec/dispatch.h"
#include "ec/field.h"
#include "ec/lone.h"
#include "ec/verify.h"
#include "internals_util.h"

namespace pairmint::internals {
namespace {

using core::BignumPtr;
using ec::Comb;
using ec::Curve;

const Curve &CurveOf(const Napi::Value &name) {
  return *ec::FindCurve(name.As<Napi::String>().Utf8Value().c_str());
}

template <int kLimbs>
ec::Number<kLimbs> ToNumber(const Napi::Value &value) {
  ec::Number<kLimbs> out = {};
  int sign = 0;
  size_t count = kLimbs;
  value.As<Napi::BigInt>().ToWords(&sign, &count, out.limbs);
  return out;
}

template <int kLimbs>
Napi::Value FromNumber(Napi::Env env, const ec::Number<kLimbs> &number) {
  return Napi::BigInt::New(env, 0, kLimbs, number.limbs);
}

template <int kLimbs>
Napi::Value FieldWith(const Napi::CallbackInfo &info) {
  const ec::Field<kLimbs> field(ToNumber<kLimbs>(info[1]));
  const auto a = ToNumber<kLimbs>(info[2]);
  const auto b = ToNumber<kLimbs>(info[3]);
  const auto a_montgomery = field.ToMontgomery(a);
  Napi::Object out = Napi::Object::New(info.Env());
  const auto set = [&](const char *name, const ec::Number<kLimbs> &number) {
    out.Set(name, FromNumber<kLimbs>(info.Env(), number));
  };
  set("sum", field.Add(a, b));
  set("difference", field.Subtract(a, b));
  set("product", field.Multiply(a_montgomery, b));
  set("inverse", field.FromMontgomery(field.Invert(a_montgomery)));
  return out;
}

// field(limbs, p, a, b) -> { sum, difference, product, inverse of a }
Napi::Value Field(const Napi::CallbackInfo &info) {
  switch (info[0].As<Napi::Number>().Int32Value()) {
    case 4:
      return FieldWith<4>(info);
    case 6:
      return FieldWith<6>(info);
    default:
      return FieldWith<9>(info);
  }
}

std::vector<BignumPtr> ToKeys(const Napi::Value &value) {
  const auto numbers = value.As<Napi::Array>();
  std::vector<BignumPtr> keys;
  for (uint32_t i = 0; i < numbers.Length(); i++) {
    keys.push_back(ToBignum(numbers[i]));
  }
  return keys;
}

// multiplyByComb(curve, keys) -> the points, uncompressed and in a row;
// undefined where the comb is not used
Napi::Value MultiplyByComb(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const Curve &curve = CurveOf(info[0]);
  const std::vector<BignumPtr> keys = ToKeys(info[1]);
  const ec::Multiplier multiplier = ec::MultiplierFor(curve);
  if (!multiplier.exists()) {
    return info.Env().Undefined();
  }
  core::Bytes points(keys.size() * ec::PointLen(curve));
  const core::Status status =
      ec::MultiplyUnchecked(curve, multiplier, keys, points);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  return addon::ToUint8Array(info.Env(), points);
}

// verifyPoints(curve, keys, points) -> boolean
Napi::Value VerifyPoints(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const auto points = info[2].As<Napi::Uint8Array>();
  bool verified = false;
  const core::Status status =
      ec::VerifyPoints(CurveOf(info[0]), ToKeys(info[1]),
                       {points.Data(), points.ByteLength()}, &verified);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  return Napi::Boolean::New(info.Env(), verified);
}

// mintSeveral(curve, count) -> [{ spki, pkcs8 }]
Napi::Value MintSeveral(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const core::AbortFlag abort;
  std::vector<core::KeyPair> pairs(info[1].As<Napi::Number>().Uint32Value());
  const core::Status status = ec::MintSeveral(CurveOf(info[0]), abort, pairs);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  return FromPairs(info.Env(), pairs);
}

// mintAlone(curve, count, aborted) -> [{ spki, pkcs8 }], minted one by one
Napi::Value MintAlone(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  core::AbortFlag abort;
  if (info[2].ToBoolean()) {
    abort.Raise();
  }
  std::vector<core::KeyPair> pairs(info[1].As<Napi::Number>().Uint32Value());
  for (core::KeyPair &pair : pairs) {
    const core::Status status = ec::MintAlone(CurveOf(info[0]), abort, &pair);
    if (!status.ok()) {
      ThrowStatus(info.Env(), status);
      return {};
    }
  }
  return FromPairs(info.Env(), pairs);
}

// A comb with a fault; `sound` is what it computes with.
enum class Fault { kNone, kWrongEntry, kWrongLimb, kWrongLane };
Fault planted = Fault::kNone;
const Comb *sound = nullptr;

void PlantedFill(const ec::CombCurve &curve, void *workspace, void *table) {
  sound->fill(curve, workspace, table);
  if (planted == Fault::kWrongEntry) {
    // In every window the first two of the 16 points, at its end, swap places.
    auto *words = static_cast<uint64_t *>(table);
    const size_t point = 2 * sound->num_limbs;
    const size_t total = sound->table_size / sizeof(uint64_t);
    for (size_t window = 1; window <= total / (16 * point); window++) {
      uint64_t *first = words + total - 16 * window * point;
      std::swap_ranges(first, first + point, first + point);
    }
  }
}

void PlantedMultiply(const void *table, size_t count, const uint64_t *scalars,
                     void *workspace, uint64_t *out) {
  sound->multiply(table, count, scalars, workspace, out);
  const size_t point = 2 * sound->num_limbs;
  if (planted == Fault::kWrongLimb) {
    out[(count - 1) * point + 1] ^= 1;
  } else if (planted == Fault::kWrongLane && count > 1) {
    std::swap_ranges(out, out + point, out + (count - 1) * point);
  }
}

// plantCombFault(curve, name, compared): makes a broken comb the curve's,
// before or after its comparison with OpenSSL, or with 'nothing' one that is
// not broken; 'none' chooses as at the start.
void PlantCombFault(const Napi::CallbackInfo &info) {
  static Comb comb;
  const Curve &curve = CurveOf(info[0]);
  const std::string name = info[1].As<Napi::String>();
  planted = name == "wrong entry"  ? Fault::kWrongEntry
            : name == "wrong limb" ? Fault::kWrongLimb
            : name == "wrong lane" ? Fault::kWrongLane
                                   : Fault::kNone;
  const bool a_is_zero = strcmp(curve.name, "secp256k1") == 0;
  sound = ec::FindComb((curve.field_len + 7) / 8, a_is_zero);
  comb = *sound;
  comb.fill = PlantedFill;
  comb.multiply = PlantedMultiply;
  ec::ChooseForTest(curve, name == "none" ? nullptr : &comb, nullptr,
                    info[2].ToBoolean());
}

// combSwitchedOff() -> why
Napi::Value CombSwitchedOff(const Napi::CallbackInfo &info) {
  return Napi::String::New(info.Env(), ec::SwitchedOff());
}

}  // namespace

Napi::Value FromPairs(Napi::Env env, const std::vector<core::KeyPair> &pairs) {
  Napi::Array out = Napi::Array::New(env, pairs.size());
  for (uint32_t i = 0; i < pairs.size(); i++) {
    const core::KeyPair &pair = pairs[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("spki", Napi::Buffer<uint8_t>::Copy(env, pair.public_key.data(),
                                                   pair.public_key.size()));
    object.Set("pkcs8",
               Napi::Buffer<uint8_t>::Copy(env, pair.private_key.data(),
                                           pair.private_key.size()));
    out[i] = object;
  }
  return out;
}

Napi::Object ExportEc(Napi::Env env, Napi::Object exports) {
  exports.Set("field", Napi::Function::New(env, Field));
  exports.Set("multiplyByComb", Napi::Function::New(env, MultiplyByComb));
  exports.Set("verifyPoints", Napi::Function::New(env, VerifyPoints));
  exports.Set("mintSeveral", Napi::Function::New(env, MintSeveral));
  exports.Set("mintAlone", Napi::Function::New(env, MintAlone));
  exports.Set("plantCombFault", Napi::Function::New(env, PlantCombFault));
  exports.Set("combSwitchedOff", Napi::Function::New(env, CombSwitchedOff));
  return exports;
}

}  // namespace pairmint::internals
