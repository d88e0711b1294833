// edwards25519 on lanes: step by step, and with faults planted in each step.
#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "addon/job.h"
#include "core/abort_flag.h"
#include "ec/ed25519.h"
#include "ec/edwards.h"
#include "internals_util.h"

namespace pairmint::internals {
namespace {

using ec::EdwardsLanes;
using ec::kEdwardsPointWords;
using ec::kEdwardsWords;
using ec::LanesTable;

// As in internals_lanes.cc.
enum class Fault {
  kNone,
  kLimb,
  kLane,
  kCarry,
  kEntry,
  kWindow,
  kInversion,
  kNegation,
  kTwins,
  kSmallOrder,  // the point of order 2 is added, of which an even multiple is 0
  kCheck        // what the check computes is off
};

Fault planted = Fault::kNone;

constexpr std::array<uint64_t, kEdwardsWords> kP = {
    0xffffffffffffffed, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0} >> 1};

const EdwardsLanes &Sound() { return *ec::FindEdwardsLanes(); }

void Negate(uint64_t *number) {
  uint64_t borrow = 0;
  for (size_t w = 0; w < kEdwardsWords; w++) {
    const uint64_t difference = kP[w] - number[w] - borrow;
    borrow = static_cast<uint64_t>(kP[w] < number[w] ||
                                   (kP[w] == number[w] && borrow != 0));
    number[w] = difference;
  }
}

// A row of a step holds a vector for each limb of the three numbers of a
// multiple.
constexpr size_t kMultiple = 3 * 5 * 8;
constexpr size_t kSteps5 = 7, kMultiples5 = 16;
constexpr size_t kSteps4 = 9, kMultiples4 = 8;

void PlantedFill(void *workspace, void *table) {
  Sound().fill(workspace, table);
  auto *five = static_cast<uint64_t *>(table);
  uint64_t *four = five + kSteps5 * kMultiples5 * kMultiple;
  const auto flip = [](uint64_t *words, size_t steps, size_t multiples) {
    for (size_t step = 0; step < steps; step++) {
      for (size_t lane = 0; lane < 8; lane++) {
        words[(step * multiples + 2) * kMultiple + lane] ^= 4;
      }
    }
  };
  if (planted == Fault::kEntry) {
    flip(five, kSteps5, kMultiples5);
    flip(four, kSteps4, kMultiples4);
  } else if (planted == Fault::kWindow) {
    std::copy_n(five + kMultiples5 * kMultiple, kMultiples5 * kMultiple, five);
    std::copy_n(four + kMultiples4 * kMultiple, kMultiples4 * kMultiple, four);
  }
}

// Breaks the points of the first `count` lanes.
void Break(size_t count, uint64_t *out) {
  uint64_t *last = out + (count - 1) * kEdwardsPointWords;
  switch (planted) {
    case Fault::kLimb:
      last[1] ^= 1;
      break;
    case Fault::kLane:
      std::swap_ranges(out, out + kEdwardsPointWords, last);
      break;
    case Fault::kCarry:
      last[kEdwardsWords] ^= uint64_t{1} << 51;
      break;
    case Fault::kInversion:
      last[2 * kEdwardsWords] ^= 2;
      break;
    case Fault::kNegation:
      Negate(last);
      break;
    case Fault::kTwins:
      std::swap_ranges(out, out + kEdwardsPointWords, last);
      Negate(out);
      Negate(last);
      break;
    case Fault::kSmallOrder:
      Negate(last);
      Negate(last + kEdwardsWords);
      break;
    default:
      break;
  }
}

void PlantedEach(const void *table, LanesTable which, const uint64_t *scalars,
                 void *workspace, uint64_t *out) {
  Sound().multiply_each(table, which, scalars, workspace, out);
  if (which == LanesTable::kFiveBits) {
    Break(4, out);
  } else if (planted == Fault::kCheck) {
    out[0] ^= 1;
  }
}

void PlantedSplit(const void *table, LanesTable which, const uint64_t *scalar,
                  void *workspace, uint64_t *out) {
  Sound().multiply_split(table, which, scalar, workspace, out);
  if (which == LanesTable::kFourBits) {
    if (planted != Fault::kLane && planted != Fault::kTwins) {
      Break(1, out);
    }
  } else if (planted == Fault::kCheck) {
    out[0] ^= 1;
  }
}

constexpr struct {
  const char *name;
  Fault fault;
} kFaults[] = {
    {"limb", Fault::kLimb},
    {"lane", Fault::kLane},
    {"carry", Fault::kCarry},
    {"table entry", Fault::kEntry},
    {"window", Fault::kWindow},
    {"inversion", Fault::kInversion},
    {"negation", Fault::kNegation},
    {"opposite errors", Fault::kTwins},
    {"point of small order", Fault::kSmallOrder},
    {"check", Fault::kCheck},
};

// plantEdwardsFault(name, compared): makes broken lanes those of the curve,
// before or after their comparison with OpenSSL, and has them mint from the
// next pair on; with 'nothing' ones that are not broken; with 'none' all is as
// at the start.
Napi::Value PlantEdwardsFault(const Napi::CallbackInfo &info) {
  static EdwardsLanes lanes;
  const std::string name = info[0].As<Napi::String>();
  if (ec::FindEdwardsLanes() == nullptr) {
    return Napi::Boolean::New(info.Env(), false);
  }
  planted = Fault::kNone;
  for (const auto &row : kFaults) {
    if (name == row.name) {
      planted = row.fault;
    }
  }
  lanes = Sound();
  lanes.fill = PlantedFill;
  lanes.multiply_each = PlantedEach;
  lanes.multiply_split = PlantedSplit;
  ec::UseEdwardsLanesForTest(name == "none" ? nullptr : &lanes,
                             info[1].ToBoolean());
  ec::UseLanesForTest(name != "none");
  return Napi::Boolean::New(info.Env(), true);
}

ec::EdwardsScalar ToScalar(const Napi::Value &value) {
  ec::EdwardsScalar out = {};
  int sign = 0;
  size_t count = out.size();
  value.As<Napi::BigInt>().ToWords(&sign, &count, out.data());
  return out;
}

// multiplyEdwards(bits, isSplit, scalars) -> the encoded points, by the table
// of windows of so many bits; undefined where lanes do not compute
Napi::Value MultiplyEdwards(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const auto engine = ec::EdwardsEngineForTest();
  if (engine == nullptr) {
    return info.Env().Undefined();
  }
  const LanesTable which = info[0].As<Napi::Number>().Int32Value() == 5
                               ? LanesTable::kFiveBits
                               : LanesTable::kFourBits;
  const auto scalars = info[2].As<Napi::Array>();
  std::vector<ec::EdwardsScalar> all;
  for (uint32_t k = 0; k < scalars.Length(); k++) {
    all.push_back(ToScalar(scalars[k]));
  }
  auto out =
      Napi::Buffer<uint8_t>::New(info.Env(), ec::kEd25519Len * all.size());
  for (size_t at = 0; at < all.size(); at += ec::kMaxEdwardsLot) {
    const auto lot = std::span(all).subspan(
        at, std::min(ec::kMaxEdwardsLot, all.size() - at));
    ec::MultiplyPublic(
        *engine, which, info[1].ToBoolean(), lot,
        core::MutableByteSpan(out.Data(), out.Length())
            .subspan(at * ec::kEd25519Len, lot.size() * ec::kEd25519Len));
  }
  return Napi::Value(info.Env(), out);
}

// checkEdwards(seeds, keys) -> whether the keys are right, by the check alone
Napi::Value CheckEdwards(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const auto seeds = info[0].As<Napi::Uint8Array>();
  const auto keys = info[1].As<Napi::Uint8Array>();
  const core::ByteSpan all(keys.Data(), keys.ByteLength());
  const auto engine = ec::EdwardsEngineForTest();
  std::vector<ec::EdwardsAffine> affines(all.size() / ec::kEd25519Len);
  for (size_t i = 0; i < affines.size(); i++) {
    // What is no point keeps x = y = 0, which is off the curve.
    engine->plain->Decode(all.subspan(i * ec::kEd25519Len, ec::kEd25519Len),
                          affines[i].data());
  }
  std::shared_ptr<const ec::EdwardsOffset> offset;
  bool verified = false;
  core::Status status = ec::MakeOffset(*engine, &offset);
  if (status.ok()) {
    status = ec::CheckKeys(*engine, *offset,
                           core::ByteSpan(seeds.Data(), seeds.ByteLength()),
                           all, affines, &verified);
  }
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  return Napi::Boolean::New(info.Env(), verified);
}

// compareEdwards(scalar, key) -> whether OpenSSL finds that the key is the
// scalar's
Napi::Value CompareEdwards(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const auto key = info[1].As<Napi::Uint8Array>();
  bool same = false;
  const core::Status status = ec::CompareByOpenSsl(
      ToScalar(info[0]), core::ByteSpan(key.Data(), key.ByteLength()), &same);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  return Napi::Boolean::New(info.Env(), same);
}

// ed25519ByLanes(seeds) -> the public keys of 16 seeds at most, checked;
// undefined where lanes do not compute them
Napi::Value Ed25519ByLanes(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const auto seeds = info[0].As<Napi::Uint8Array>();
  auto out = Napi::Buffer<uint8_t>::New(info.Env(), seeds.ByteLength());
  bool verified = false;
  const core::Status status = ec::PublicKeysByLanes(
      core::ByteSpan(seeds.Data(), seeds.ByteLength()),
      core::MutableByteSpan(out.Data(), out.Length()), &verified);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  if (!verified) {
    return info.Env().Undefined();
  }
  return Napi::Value(info.Env(), out);
}

// mintEd25519(count) -> [{ spki, pkcs8 }], minted together, or one alone
Napi::Value MintEd25519(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const core::AbortFlag abort;
  std::vector<core::KeyPair> pairs(info[0].As<Napi::Number>().Uint32Value());
  const core::Status status = pairs.size() == 1
                                  ? ec::MintEd25519(abort, pairs.data())
                                  : ec::MintSeveralEd25519(abort, true, pairs);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  return FromPairs(info.Env(), pairs);
}

}  // namespace

Napi::Object ExportEdwards(Napi::Env env, Napi::Object exports) {
  exports.Set("plantEdwardsFault", Napi::Function::New(env, PlantEdwardsFault));
  exports.Set("multiplyEdwards", Napi::Function::New(env, MultiplyEdwards));
  exports.Set("checkEdwards", Napi::Function::New(env, CheckEdwards));
  exports.Set("compareEdwards", Napi::Function::New(env, CompareEdwards));
  exports.Set("ed25519ByLanes", Napi::Function::New(env, Ed25519ByLanes));
  exports.Set("mintEd25519", Napi::Function::New(env, MintEd25519));
  return exports;
}

}  // namespace pairmint::internals
