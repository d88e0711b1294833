// The stock of masks, the check of a key by one, and masks that are broken.
#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "addon/job.h"
#include "ec/dispatch.h"
#include "ec/lone.h"
#include "ec/masks.h"
#include "internals_util.h"

namespace pairmint::internals {
namespace {

using core::BignumPtr;
using ec::Curve;
using ec::Mask;

const Curve &CurveOf(const Napi::Value &name) {
  return *ec::FindCurve(name.As<Napi::String>().Utf8Value().c_str());
}

core::Bytes ToBytes(const Napi::Value &value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.Data() + bytes.ByteLength()};
}

Napi::Value FromMasks(Napi::Env env, const std::vector<Mask> &masks) {
  Napi::Array out = Napi::Array::New(env, masks.size());
  for (uint32_t i = 0; i < masks.size(); i++) {
    const Mask &mask = masks[i];
    const BignumPtr r(
        BN_bin2bn(mask.r.data(), static_cast<int>(mask.r.size()), nullptr));
    Napi::Object object = Napi::Object::New(env);
    object.Set("r", FromBignum(env, r.get()));
    object.Set("point", Napi::Buffer<uint8_t>::Copy(env, mask.point.data(),
                                                    mask.point.size()));
    out[i] = object;
  }
  return out;
}

// useMasks(curve, use): has them used whether they are worth it or not, with an
// empty stock; or has that found out, as at the start.
void UseMasks(const Napi::CallbackInfo &info) {
  const Curve &curve = CurveOf(info[0]);
  ec::StockForTest(curve).clear();
  ec::UseMasksForTest(curve, info[1].ToBoolean());
}

// masksInStock(curve) -> [{ r, point }]
Napi::Value MasksInStock(const Napi::CallbackInfo &info) {
  return FromMasks(info.Env(), ec::StockForTest(CurveOf(info[0])));
}

// maskedKey(curve, key, r) -> the sum
Napi::Value MaskedKey(const Napi::CallbackInfo &info) {
  const EC_GROUP *group = ec::GroupOf(CurveOf(info[0]));
  const BignumPtr sum =
      ec::MaskedKey(group, ToBignum(info[1]).get(), ToBignum(info[2]).get());
  return FromBignum(info.Env(), sum.get());
}

// verifyByMask(curve, key, r, R, point) -> boolean
Napi::Value VerifyByMask(const Napi::CallbackInfo &info) {
  const addon::CleanErrorQueue clean;
  const Curve &curve = CurveOf(info[0]);
  Mask mask = {core::SecretBytes(curve.field_len), ToBytes(info[3])};
  BN_bn2binpad(ToBignum(info[2]).get(), mask.r.data(),
               static_cast<int>(mask.r.size()));
  bool verified = false;
  const core::Status status = ec::VerifyByMask(
      curve, ToBignum(info[1]).get(), mask, ToBytes(info[4]), &verified);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return {};
  }
  return Napi::Boolean::New(info.Env(), verified);
}

// spoilMasks(curve, what): gives every mask in stock another's point, or one
// that is not on the curve, or a number that is off by one.
void SpoilMasks(const Napi::CallbackInfo &info) {
  std::vector<Mask> &masks = ec::StockForTest(CurveOf(info[0]));
  const std::string what = info[1].As<Napi::String>();
  for (size_t i = 0; i < masks.size(); i++) {
    if (what == "wrong point") {
      masks[i].point.swap(masks[(i + 1) % masks.size()].point);
    } else if (what == "off the curve") {
      masks[i].point.back() ^= 1;
    } else {
      masks[i].r.data()[masks[i].r.size() - 1] ^= 1;
    }
  }
}

// takeMasks(curve, threads, count) -> [{ r, point }]: as many by each thread
Napi::Value TakeMasks(const Napi::CallbackInfo &info) {
  const Curve &curve = CurveOf(info[0]);
  const uint32_t count = info[2].As<Napi::Number>();
  std::vector<std::vector<Mask>> taken(
      info[1].As<Napi::Number>().Uint32Value());
  std::vector<std::thread> threads;
  threads.reserve(taken.size());
  for (std::vector<Mask> &mine : taken) {
    threads.emplace_back([&curve, &mine, count] {
      const core::AbortFlag abort;
      while (mine.size() < count) {
        std::optional<Mask> mask = ec::TakeMask(curve);
        if (!mask &&
            !ec::MakeMasks(curve, ec::MultiplierFor(curve), abort, &mask)
                 .ok()) {
          return;
        }
        mine.push_back(std::move(*mask));
      }
    });
  }
  std::vector<Mask> all;
  for (size_t i = 0; i < threads.size(); i++) {
    threads[i].join();
    std::move(taken[i].begin(), taken[i].end(), std::back_inserter(all));
  }
  return FromMasks(info.Env(), all);
}

// drainMasks(curve, threads, count) -> number[]: what the threads, all at once,
// take out of a stock of the numbers below `count`
Napi::Value DrainMasks(const Napi::CallbackInfo &info) {
  const Curve &curve = CurveOf(info[0]);
  const uint32_t count = info[2].As<Napi::Number>();
  for (uint32_t i = 0; i < count; i++) {
    Mask mask = {core::SecretBytes(sizeof i), {}};
    memcpy(mask.r.data(), &i, sizeof i);
    ec::StockForTest(curve).push_back(std::move(mask));
  }
  std::vector<std::vector<uint32_t>> taken(
      info[1].As<Napi::Number>().Uint32Value());
  std::atomic<size_t> waiting = taken.size();
  std::vector<std::thread> threads;
  threads.reserve(taken.size());
  for (std::vector<uint32_t> &mine : taken) {
    threads.emplace_back([&curve, &mine, &waiting] {
      waiting--;
      while (waiting > 0) {
      }
      while (const std::optional<Mask> mask = ec::TakeMask(curve)) {
        memcpy(&mine.emplace_back(), mask->r.data(), sizeof mine.back());
      }
    });
  }
  Napi::Array out = Napi::Array::New(info.Env());
  for (size_t i = 0; i < threads.size(); i++) {
    threads[i].join();
    for (const uint32_t number : taken[i]) {
      out[out.Length()] = number;
    }
  }
  return out;
}

#if !defined(_WIN32)
// masksAfterFork(curve) -> how many a process that was forked off can take
Napi::Value MasksAfterFork(const Napi::CallbackInfo &info) {
  const Curve &curve = CurveOf(info[0]);
  const pid_t child = fork();
  if (child == 0) {
    int count = 0;
    while (ec::TakeMask(curve)) {
      count++;
    }
    _exit(count);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return Napi::Number::New(info.Env(),
                           WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}
#endif

}  // namespace

Napi::Object ExportMasks(Napi::Env env, Napi::Object exports) {
  exports.Set("useMasks", Napi::Function::New(env, UseMasks));
  exports.Set("masksInStock", Napi::Function::New(env, MasksInStock));
  exports.Set("maskedKey", Napi::Function::New(env, MaskedKey));
  exports.Set("verifyByMask", Napi::Function::New(env, VerifyByMask));
  exports.Set("spoilMasks", Napi::Function::New(env, SpoilMasks));
  exports.Set("drainMasks", Napi::Function::New(env, DrainMasks));
  exports.Set("takeMasks", Napi::Function::New(env, TakeMasks));
#if !defined(_WIN32)
  exports.Set("masksAfterFork", Napi::Function::New(env, MasksAfterFork));
#endif
  return exports;
}

}  // namespace pairmint::internals
