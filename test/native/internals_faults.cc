// Faults of memory: allocations of OpenSSL that fail, and accesses that go too
// far.
#include <uv.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "addon/job.h"
#include "core/abort_flag.h"
#include "core/secret_bytes.h"
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

constexpr ptrdiff_t kChunkLen = 1 << 16;

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

// Sizes that fill a chunk of locked pages, or pages of their own, to the end.
[[gnu::noinline]] uint8_t OverrunSecret(size_t size, ptrdiff_t at) {
  core::SecretBytes secret(size);
  volatile uint8_t *data = secret.data();
  return data[at];
}

// overrun(what): goes too far in an array, in a copy, in a frame, or out of
// locked memory.
Napi::Value Overrun(const Napi::CallbackInfo &info) {
  const std::string what = info[0].As<Napi::String>();
  const std::vector<uint8_t> source(64, 1);
  const uint8_t read = what == "index"   ? OverrunIndex()
                       : what == "copy"  ? OverrunCopy(source)
                       : what == "chunk" ? OverrunSecret(kChunkLen, kChunkLen)
                       : what == "pages"
                           ? OverrunSecret(2 * kChunkLen, 2 * kChunkLen)
                       : what == "before" ? OverrunSecret(2 * kChunkLen, -1)
                                          : OverrunFrame(source[0]);
  return Napi::Number::New(info.Env(), read);
}

// secretPages() -> {mapped, kept}: how often locked pages were taken from the
// system, and how many workspaces wait to be used again.
Napi::Value SecretPages(const Napi::CallbackInfo &info) {
  const core::SecretPages pages = core::CountSecretPages();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("mapped", static_cast<double>(pages.num_mapped));
  out.Set("kept", static_cast<double>(pages.num_kept));
  return out;
}

// areSecretsZero(count, size): so many secrets at a time, filled, given back
// and taken again, are zeros.
Napi::Value AreSecretsZero(const Napi::CallbackInfo &info) {
  const auto count = info[0].As<Napi::Number>().Uint32Value();
  const auto size = info[1].As<Napi::Number>().Uint32Value();
  bool are_zero = true;
  for (int round = 0; round < 2; round++) {
    std::vector<core::SecretBytes> secrets;
    for (uint32_t i = 0; i < count; i++) {
      core::SecretBytes &secret = secrets.emplace_back(size);
      for (uint32_t at = 0; at < size; at++) {
        are_zero &= secret.data()[at] == 0;
        secret.data()[at] = 0xa5;
      }
    }
  }
  return Napi::Boolean::New(info.Env(), are_zero);
}

}  // namespace

Napi::Object ExportFaults(Napi::Env env, Napi::Object exports) {
  exports.Set("withFailingAllocation",
              Napi::Function::New(env, WithFailingAllocation));
  exports.Set("overrun", Napi::Function::New(env, Overrun));
  exports.Set("secretPages", Napi::Function::New(env, SecretPages));
  exports.Set("areSecretsZero", Napi::Function::New(env, AreSecretsZero));
  return exports;
}

}  // namespace pairmint::internals
