// The kernels, one by one, and broken ones.
#include <array>
#include <cstring>
#include <memory>
#include <string>

#include "core/secret_bytes.h"
#include "core/words.h"
#include "internals_util.h"
#include "mont/dispatch.h"
#include "mont/mont.h"

namespace pairmint::internals {

using core::BignumPtr;
using core::Status;
using core::StatusCode;

void ThrowStatus(Napi::Env env, const Status &status) {
  const char *name = "internal";
  switch (status.code()) {
    case StatusCode::kEntropy:
      name = "entropy";
      break;
    case StatusCode::kAborted:
      name = "aborted";
      break;
    case StatusCode::kInvalidArgument:
      name = "invalid-argument";
      break;
    default:
      break;
  }
  Napi::Error error = Napi::Error::New(env, status.message());
  error.Set("code", name);
  error.ThrowAsJavaScriptException();
}

BignumPtr ToBignum(const Napi::Value &value) {
  int sign = 0;
  std::array<uint64_t, 2 *mont::kWords> words = {};
  size_t count = words.size();
  value.As<Napi::BigInt>().ToWords(&sign, &count, words.data());
  return core::ToBignum(words);
}

Napi::Value FromBignum(Napi::Env env, const BIGNUM *number) {
  std::array<uint64_t, 2 *mont::kWords> words = {};
  std::array<unsigned char, sizeof words> bytes;
  BN_bn2lebinpad(number, bytes.data(), bytes.size());
  for (size_t i = 0; i < bytes.size(); i++) {
    words[i / 8] |= uint64_t{bytes[i]} << (i % 8 * 8);
  }
  return Napi::BigInt::New(env, 0, words.size(), words.data());
}

namespace {

using mont::Kernel;
using mont::Numbers;
using mont::Verdicts;

const Kernel *KernelByName(const std::string &name) {
  for (const Kernel *kernel :
       {mont::Avx512IfmaKernel(), mont::Avx2Kernel(), mont::OpenSslKernel(),
        mont::ReferenceKernel()}) {
    if (kernel != nullptr && name == kernel->name) {
      return kernel;
    }
  }
  return nullptr;
}

void Load(const Napi::Value &value, int lane, Numbers *out) {
  core::ToWords(ToBignum(value).get(), out->words[lane]);
}

// Calls `work` for the numbers at `at` to `at + len - 1`, a batch at a time.
template <typename Work>
void InBatches(uint32_t total, Work work) {
  for (uint32_t at = 0; at < total; at += mont::kLanes) {
    work(at, static_cast<int>(std::min<uint32_t>(mont::kLanes, total - at)));
  }
}

// fermat(kernel, bits, numbers) -> booleans
Napi::Value Fermat(const Napi::CallbackInfo &info) {
  const Kernel *kernel = KernelByName(info[0].As<Napi::String>());
  const int bits = info[1].As<Napi::Number>();
  const auto numbers = info[2].As<Napi::Array>();
  Napi::Array out = Napi::Array::New(info.Env(), numbers.Length());
  core::SecretBytes workspace(kernel->workspace_len);
  InBatches(numbers.Length(), [&](uint32_t at, int len) {
    auto n = std::make_unique<Numbers>();
    for (int i = 0; i < len; i++) {
      Load(numbers[at + i], i, n.get());
    }
    Verdicts verdicts;
    kernel->fermat_base2(bits, len, *n, workspace.data(), &verdicts);
    for (int i = 0; i < len; i++) {
      out[at + i] = Napi::Boolean::New(info.Env(), verdicts.lanes[i] != 0);
    }
  });
  return out;
}

// modExp(kernel, bits, moduli, bases, exponents, exponentBits) -> BigInts
Napi::Value ModExp(const Napi::CallbackInfo &info) {
  const Kernel *kernel = KernelByName(info[0].As<Napi::String>());
  const int bits = info[1].As<Napi::Number>();
  const auto moduli = info[2].As<Napi::Array>();
  const auto bases = info[3].As<Napi::Array>();
  const auto exponents = info[4].As<Napi::Array>();
  const int exponent_bits = info[5].As<Napi::Number>();
  Napi::Array out = Napi::Array::New(info.Env(), moduli.Length());
  core::SecretBytes workspace(kernel->workspace_len);
  InBatches(moduli.Length(), [&](uint32_t at, int len) {
    auto n = std::make_unique<Numbers>();
    auto base = std::make_unique<Numbers>();
    auto exponent = std::make_unique<Numbers>();
    auto power = std::make_unique<Numbers>();
    for (int i = 0; i < len; i++) {
      Load(moduli[at + i], i, n.get());
      Load(bases[at + i], i, base.get());
      Load(exponents[at + i], i, exponent.get());
    }
    kernel->mod_exp(bits, len, *n, *base, *exponent, exponent_bits,
                    workspace.data(), power.get());
    for (int i = 0; i < len; i++) {
      out[at + i] =
          Napi::BigInt::New(info.Env(), 0, mont::kWords, power->words[i]);
    }
  });
  return out;
}

// A kernel with a fault.
enum class Fault {
  kNone,
  kWrongLimb,    // a bit of every power is wrong
  kWrongLane,    // lanes get their neighbours' verdicts
  kAlwaysTrue,   // every number passes the filter
  kAlwaysFalse,  // none does
  kLosesPrimes,  // every second number that should pass does not
};
Fault planted = Fault::kNone;
int num_passed = 0;

// The kernel it computes with: the best one that can run.
const Kernel *sound = nullptr;

const Kernel *BestKernel() {
  for (const mont::Report::Row &row : mont::GetReport().kernels) {
    if (row.capable) {
      return KernelByName(row.name);
    }
  }
  return mont::OpenSslKernel();
}

bool PlantedFermat(int bits, int num_lanes, const Numbers &n,
                   uint8_t *workspace, Verdicts *out) {
  Verdicts right = {};
  if (!sound->fermat_base2(bits, num_lanes, n, workspace, &right)) {
    return false;
  }
  for (int i = 0; i < num_lanes; i++) {
    uint64_t &lane = out->lanes[i];
    lane = right.lanes[i];
    if (planted == Fault::kWrongLane) {
      lane = right.lanes[(i + 1) % num_lanes];
    } else if (planted == Fault::kAlwaysTrue) {
      lane = 1;
    } else if (planted == Fault::kAlwaysFalse) {
      lane = 0;
    } else if (planted == Fault::kLosesPrimes && lane != 0) {
      lane = static_cast<uint64_t>(++num_passed % 2);
    }
  }
  return true;
}

bool PlantedModExp(int bits, int num_lanes, const Numbers &n,
                   const Numbers &base, const Numbers &exponent,
                   int exponent_bits, uint8_t *workspace, Numbers *out) {
  const bool ok = sound->mod_exp(bits, num_lanes, n, base, exponent,
                                 exponent_bits, workspace, out);
  for (int i = 0; i < num_lanes && planted == Fault::kWrongLimb; i++) {
    out->words[i][5] ^= 1;
  }
  return ok;
}

// plantFault(name, compared): makes a broken kernel the chosen one, before or
// after its comparison with the reference; plantFault('none') mends it.
void PlantFault(const Napi::CallbackInfo &info) {
  constexpr std::array<const char *, 6> kNames = {
      "none",        "wrong limb",   "wrong lane",
      "always true", "always false", "loses primes"};
  static Kernel kernel;
  sound = BestKernel();
  kernel = *sound;
  kernel.name = "planted";
  kernel.batch_len = mont::kLanes;
  kernel.fermat_base2 = PlantedFermat;
  kernel.mod_exp = PlantedModExp;
  const std::string name = info[0].As<Napi::String>();
  for (size_t i = 0; i < kNames.size(); i++) {
    if (name == kNames[i]) {
      planted = static_cast<Fault>(i);
    }
  }
  num_passed = 0;
  mont::ChooseForTest(planted == Fault::kNone ? nullptr : &kernel,
                      info[1].ToBoolean());
}

// chooseKernel(name): from now on this one; without a name as at the start.
void ChooseKernel(const Napi::CallbackInfo &info) {
  mont::ChooseForTest(
      info[0].IsString() ? KernelByName(info[0].As<Napi::String>()) : nullptr,
      false);
}

// kernelReport() -> what capabilities() would say
Napi::Value KernelReport(const Napi::CallbackInfo &info) {
  const mont::Report report = mont::GetReport();
  Napi::Object out = Napi::Object::New(info.Env());
  Napi::Array kernels = Napi::Array::New(info.Env());
  for (const mont::Report::Row &row : report.kernels) {
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("name", row.name);
    object.Set("capable", row.capable);
    object.Set("preferred", row.preferred);
    kernels[kernels.Length()] = object;
  }
  out.Set("kernels", kernels);
  out.Set("chosen", report.chosen);
  out.Set("requested", report.requested);
  out.Set("requestRefused", report.request_refused);
  out.Set("switchedOff", report.switched_off);
  out.Set("audits", static_cast<double>(report.audits));
  return out;
}

// kernelFor(bits) -> name, after the comparison before first use
Napi::Value KernelFor(const Napi::CallbackInfo &info) {
  return Napi::String::New(info.Env(),
                           mont::KernelFor(info[0].As<Napi::Number>()).name);
}

}  // namespace

Napi::Object ExportMont(Napi::Env env, Napi::Object exports) {
  exports.Set("fermat", Napi::Function::New(env, Fermat));
  exports.Set("modExp", Napi::Function::New(env, ModExp));
  exports.Set("plantFault", Napi::Function::New(env, PlantFault));
  exports.Set("chooseKernel", Napi::Function::New(env, ChooseKernel));
  exports.Set("kernelReport", Napi::Function::New(env, KernelReport));
  exports.Set("kernelFor", Napi::Function::New(env, KernelFor));
  return exports;
}

}  // namespace pairmint::internals
