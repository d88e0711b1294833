// Curve arithmetic on lanes: step by step, and with faults planted in each
// step.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "addon/job.h"
#include "ec/check.h"
#include "ec/dispatch.h"
#include "ec/inverse.h"
#include "ec/lanes.h"
#include "internals_util.h"

namespace pairmint::internals {
namespace {

using core::BignumPtr;
using ec::Curve;
using ec::Lanes;
using ec::LanesTable;

const Curve &CurveOf(const Napi::Value &name) {
  return *ec::FindCurve(name.As<Napi::String>().Utf8Value().c_str());
}

const Lanes *LanesOf(const Curve &curve) {
  const bool a_is_zero = strcmp(curve.name, "secp256k1") == 0;
  return ec::FindLanes((curve.field_len + 7) / 8, a_is_zero);
}

// What is broken, in which of the functions. Every fault is one that a wrong
// instruction, a flipped bit in memory, or an error in the program can make.
enum class Fault {
  kNone,
  kLimb,       // a bit of a coordinate of one lane
  kLane,       // two lanes swap their results
  kCarry,      // a coordinate is off by 2^52, as by a carry that got lost
  kEntry,      // a table entry of every window has a flipped bit
  kWindow,     // a window of a table holds what belongs to the next one
  kInversion,  // Z, by which the coordinates are divided, is off
  kNegation,   // the point's opposite, as by a digit's sign
  kTwins,      // two lanes are off by opposite errors
  kSum,        // what the check computes is off
  kOffset      // what the check of a lone key computes is off
};

Fault planted = Fault::kNone;
const Lanes *sound = nullptr;
// p of the curve, for kNegation.
std::vector<uint64_t> modulus;

void FlipEveryEntry(void *table) {
  // Behind the constants the two tables are rows of vectors, of a limb of eight
  // points each: a bit of the lowest limb of the third multiple in every step
  // of the table of five bits, which comes first.
  auto *words = static_cast<uint64_t *>(table);
  const size_t limbs = sound->num_limbs == 4   ? 5
                       : sound->num_limbs == 6 ? 8
                                               : 11;
  const size_t bits = sound->num_limbs == 9 ? 521 : 64 * sound->num_limbs;
  const auto steps = [&](size_t window) {
    return ((bits + window) / window + 7) / 8;
  };
  const size_t five = steps(5) * 16 * 2 * limbs * 8;
  const size_t four = steps(4) * 8 * 2 * limbs * 8;
  const size_t end = sound->table_size / sizeof(uint64_t);
  const size_t first_five = end - four - five;
  if (planted == Fault::kEntry) {
    for (size_t step = 0; step < steps(5); step++) {
      for (size_t lane = 0; lane < 8; lane++) {
        words[first_five + (step * 16 + 2) * 2 * limbs * 8 + lane] ^= 4;
      }
    }
    for (size_t step = 0; step < steps(4); step++) {
      for (size_t lane = 0; lane < 8; lane++) {
        words[end - four + (step * 8 + 2) * 2 * limbs * 8 + lane] ^= 4;
      }
    }
  } else if (planted == Fault::kWindow) {
    const size_t row5 = 16 * 2 * limbs * 8, row4 = 8 * 2 * limbs * 8;
    std::copy_n(words + first_five + row5, row5, words + first_five);
    std::copy_n(words + end - four + row4, row4, words + end - four);
  }
}

void PlantedFill(const ec::CombCurve &curve, void *workspace, void *table) {
  sound->fill(curve, workspace, table);
  FlipEveryEntry(table);
}

void Subtract(const uint64_t *from, uint64_t *in_out) {
  uint64_t borrow = 0;
  for (size_t w = 0; w < sound->num_limbs; w++) {
    const uint64_t difference = from[w] - in_out[w] - borrow;
    borrow = from[w] < in_out[w] || (from[w] == in_out[w] && borrow != 0);
    in_out[w] = difference;
  }
}

// Breaks the points of the first `count` lanes.
void Break(size_t count, uint64_t *out) {
  const size_t len = sound->num_limbs;
  uint64_t *last = out + (count - 1) * 3 * len;
  switch (planted) {
    case Fault::kLimb:
      last[1] ^= 1;
      break;
    case Fault::kLane:
      std::swap_ranges(out, out + 3 * len, last);
      break;
    case Fault::kCarry:
      last[len] ^= uint64_t{1} << 52;
      break;
    case Fault::kInversion:
      last[2 * len] ^= 2;
      break;
    case Fault::kNegation:
      Subtract(modulus.data(), last + len);
      break;
    case Fault::kTwins:
      // One lane's key is multiplied for another, and the other way round, with
      // a minus: their sum is what it was.
      std::swap_ranges(out, out + 3 * len, last);
      Subtract(modulus.data(), out + len);
      Subtract(modulus.data(), last + len);
      break;
    default:
      break;
  }
}

void PlantedEach(const void *table, const uint64_t *scalars, void *workspace,
                 uint64_t *out) {
  sound->multiply_each(table, scalars, workspace, out);
  Break(4, out);
}

void PlantedSplit(const void *table, LanesTable which, const uint64_t *scalar,
                  void *workspace, uint64_t *out) {
  sound->multiply_split(table, which, scalar, workspace, out);
  if (which == LanesTable::kFourBits) {
    if (planted != Fault::kLane && planted != Fault::kTwins) {
      Break(1, out);
    }
  } else if (planted == Fault::kOffset) {
    out[0] ^= 1;
  }
}

void PlantedCombine(const void *table, size_t count, const uint64_t *factors,
                    const uint64_t *points, void *workspace, uint64_t *out) {
  sound->combine(table, count, factors, points, workspace, out);
  if (planted == Fault::kSum) {
    out[0] ^= 1;
  }
}

constexpr struct {
  const char *name;
  Fault fault;
} kFaults[] = {
    {"limb", Fault::kLimb},         {"lane", Fault::kLane},
    {"carry", Fault::kCarry},       {"table entry", Fault::kEntry},
    {"window", Fault::kWindow},     {"inversion", Fault::kInversion},
    {"negation", Fault::kNegation}, {"opposite errors", Fault::kTwins},
    {"sum of check", Fault::kSum},  {"offset of check", Fault::kOffset},
};

// plantLanesFault(curve, name, compared): makes broken lanes the curve's,
// before or after their comparison with OpenSSL, or with 'nothing' ones that
// are not broken; 'none' chooses as at the start. False where there are none.
Napi::Value PlantLanesFault(const Napi::CallbackInfo &info) {
  static Lanes lanes;
  const Curve &curve = CurveOf(info[0]);
  const std::string name = info[1].As<Napi::String>();
  planted = Fault::kNone;
  for (const auto &row : kFaults) {
    if (name == row.name) {
      planted = row.fault;
    }
  }
  sound = LanesOf(curve);
  if (sound == nullptr) {
    return Napi::Boolean::New(info.Env(), false);
  }
  modulus.assign(sound->num_limbs, 0);
  const BignumPtr p(BN_new());
  EC_GROUP_get_curve(ec::GroupOf(curve), p.get(), nullptr, nullptr, nullptr);
  BN_bn2lebinpad(p.get(), reinterpret_cast<uint8_t *>(modulus.data()),
                 static_cast<int>(8 * modulus.size()));
  lanes = *sound;
  lanes.fill = PlantedFill;
  lanes.multiply_each = PlantedEach;
  lanes.multiply_split = PlantedSplit;
  lanes.combine = PlantedCombine;
  ec::ChooseForTest(curve, nullptr, name == "none" ? nullptr : &lanes,
                    info[2].ToBoolean());
  return Napi::Boolean::New(info.Env(), true);
}

// checkPoints(curve, keys, points) -> boolean
Napi::Value CheckPoints(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const Curve &curve = CurveOf(info[0]);
  const auto numbers = info[1].As<Napi::Array>();
  std::vector<BignumPtr> keys;
  for (uint32_t i = 0; i < numbers.Length(); i++) {
    keys.push_back(ToBignum(numbers[i]));
  }
  const auto points = info[2].As<Napi::Uint8Array>();
  bool verified = false;
  const core::Status status =
      ec::CheckPoints(curve, ec::MultiplierFor(curve), keys,
                      {points.Data(), points.ByteLength()}, &verified);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  return Napi::Boolean::New(info.Env(), verified);
}

// checkAlone(curve, key, m, M, point) -> boolean
Napi::Value CheckAlone(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const Curve &curve = CurveOf(info[0]);
  const auto M = info[3].As<Napi::Uint8Array>();
  const auto point = info[4].As<Napi::Uint8Array>();
  ec::Offset offset = {core::SecretBytes(curve.field_len),
                       {M.Data(), M.Data() + M.ByteLength()}};
  BN_bn2binpad(ToBignum(info[2]).get(), offset.m.data(),
               static_cast<int>(offset.m.size()));
  bool verified = false;
  const core::Status status =
      ec::CheckAlone(curve, ec::MultiplierFor(curve), ToBignum(info[1]).get(),
                     offset, {point.Data(), point.ByteLength()}, &verified);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  return Napi::Boolean::New(info.Env(), verified);
}

template <int kBits>
Napi::Value InverseOf(const Napi::CallbackInfo &info) {
  constexpr int kLimbs = ec::Inverter<kBits>::kLimbs;
  ec::Number<kLimbs> p = {}, a = {};
  int sign = 0;
  size_t count = kLimbs;
  info[1].As<Napi::BigInt>().ToWords(&sign, &count, p.limbs);
  count = kLimbs;
  info[2].As<Napi::BigInt>().ToWords(&sign, &count, a.limbs);
  const ec::Number<kLimbs> out = ec::Inverter<kBits>(p).Invert(a);
  return Napi::BigInt::New(info.Env(), 0, kLimbs, out.limbs);
}

// inverse(limbs, p, a) -> a^-1 mod p, by divsteps
Napi::Value Inverse(const Napi::CallbackInfo &info) {
  switch (info[0].As<Napi::Number>().Int32Value()) {
    case 4:
      return InverseOf<256>(info);
    case 6:
      return InverseOf<384>(info);
    default:
      return InverseOf<521>(info);
  }
}

// isAuditDue(curve, interval) -> boolean
Napi::Value IsAuditDue(const Napi::CallbackInfo &info) {
  return Napi::Boolean::New(
      info.Env(), ec::IsAuditDue(CurveOf(info[0]),
                                 info[1].As<Napi::Number>().Uint32Value()));
}

}  // namespace

Napi::Object ExportLanes(Napi::Env env, Napi::Object exports) {
  exports.Set("plantLanesFault", Napi::Function::New(env, PlantLanesFault));
  exports.Set("checkPoints", Napi::Function::New(env, CheckPoints));
  exports.Set("checkAlone", Napi::Function::New(env, CheckAlone));
  exports.Set("inverse", Napi::Function::New(env, Inverse));
  exports.Set("isAuditDue", Napi::Function::New(env, IsAuditDue));
  return exports;
}

}  // namespace pairmint::internals
