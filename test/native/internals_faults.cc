// Faults of memory: allocations of OpenSSL that fail, and accesses that go too
// far.
#include <uv.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "addon/job.h"
#include "core/abort_flag.h"
#include "ec/batch.h"
#include "ec/dispatch.h"
#include "ec/lone.h"
#include "ec/masks.h"
#include "internals_util.h"
#include "mont/dispatch.h"

namespace pairmint::internals {
namespace {

// What test/native/failing_malloc.c is preloaded with: the n-th allocation of
// the main program, in which OpenSSL is, fails in this thread from now on; none
// does for a negative n. Returns how many are left to come.
using FailAfter = long (*)(long n);

FailAfter FindFailAfter() {
  void *function = nullptr;
  uv_lib_t process;
  if (uv_dlopen(nullptr, &process) != 0 ||
      uv_dlsym(&process, "pairmint_fail_after", &function) != 0) {
    function = nullptr;
  }
  uv_dlclose(&process);
  return reinterpret_cast<FailAfter>(function);
}

core::Status Run(const std::string &what, const std::string &curve_name) {
  const core::AbortFlag abort;
  if (what == "kernel") {
    for (const int bits : {1024, 1536, 2048}) {
      mont::KernelFor(bits);
    }
    return core::Status::Ok();
  }
  const ec::Curve &curve = *ec::FindCurve(curve_name.c_str());
  if (what == "several") {
    std::vector<core::KeyPair> pairs(8);
    return ec::MintSeveral(curve, abort, pairs);
  }
  core::KeyPair pair;
  return ec::MintAlone(curve, abort, &pair);
}

// withFailingAllocation(n, what, curve) -> whether so many allocations were
// made. `what` is 'several', 'kernel', or else one pair.
Napi::Value WithFailingAllocation(const Napi::CallbackInfo &info) {
  const FailAfter fail_after = FindFailAfter();
  const std::string what = info[1].As<Napi::String>();
  const std::string curve = info[2].ToString();
  if (fail_after == nullptr) {
    Napi::Error::New(info.Env(), "failing_malloc is not preloaded")
        .ThrowAsJavaScriptException();
    return {};
  }
  const addon::CleanErrorQueue clean;
  fail_after(info[0].As<Napi::Number>().Int32Value());
  const core::Status status = Run(what, curve);
  const long left = fail_after(-1);
  return Napi::Boolean::New(info.Env(), left < 0);
}

// Lengths that the compiler cannot know.
volatile size_t too_many = 64;

[[gnu::noinline]] uint8_t OverrunIndex() {
  std::array<uint8_t, 16> array = {};
  return array[too_many];
}

[[gnu::noinline]] uint8_t OverrunCopy(const std::vector<uint8_t> &source) {
  std::array<uint8_t, 16> array;
  memcpy(array.data(), source.data(), too_many);
  return array[source[0] & 15];
}

[[gnu::noinline]] uint8_t OverrunFrame(uint8_t value) {
  std::array<uint8_t, 16> array;
  uint8_t *volatile data = array.data();
  for (size_t i = 0; i < too_many; i++) {
    data[i] = value;
  }
  return data[1];
}

// overrun(what): goes too far in an array, in a copy, or in a frame.
Napi::Value Overrun(const Napi::CallbackInfo &info) {
  const std::string what = info[0].As<Napi::String>();
  const std::vector<uint8_t> source(64, 1);
  const uint8_t read = what == "index"  ? OverrunIndex()
                       : what == "copy" ? OverrunCopy(source)
                                        : OverrunFrame(source[0]);
  return Napi::Number::New(info.Env(), read);
}

}  // namespace

Napi::Object ExportFaults(Napi::Env env, Napi::Object exports) {
  exports.Set("withFailingAllocation",
              Napi::Function::New(env, WithFailingAllocation));
  exports.Set("overrun", Napi::Function::New(env, Overrun));
  return exports;
}

}  // namespace pairmint::internals
