// What concerns the process as a whole.
#include <openssl/crypto.h>

#include "addon/exports.h"
#include "core/secret_bytes.h"
#include "crew/crew.h"
#include "ec/dispatch.h"
#include "ec/edwards.h"
#include "keys/newer.h"
#include "mont/dispatch.h"

namespace pairmint::addon {
namespace {

Napi::Value Capabilities(const Napi::CallbackInfo &info) {
  const mont::Report report = mont::GetReport();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("kernel", report.chosen);
  out.Set("kernelRefused", report.request_refused ? report.requested : "");
  out.Set("kernelSwitchedOff", report.switched_off);
  Napi::Array kernels = Napi::Array::New(info.Env());
  for (const mont::Report::Row &row : report.kernels) {
    if (row.capable) {
      kernels.Set(kernels.Length(), row.name);
    }
  }
  out.Set("kernels", kernels);
  Napi::Array names = Napi::Array::New(info.Env());
  for (const std::string &name : report.names) {
    names.Set(names.Length(), name);
  }
  out.Set("kernelNames", names);
  Napi::Array ours = Napi::Array::New(info.Env());
  Napi::Object curve_kernels = Napi::Object::New(info.Env());
  for (const ec::Curve &curve : ec::Curves()) {
    if (ec::IsOurs(curve)) {
      ours.Set(ours.Length(), curve.name);
    }
    curve_kernels.Set(curve.name, ec::KernelOf(curve));
  }
  if (ec::IsEd25519Ours()) {
    ours.Set(ours.Length(), ec::kEd25519);
  }
  curve_kernels.Set(ec::kEd25519, ec::KernelOfEd25519());
  out.Set("curves", ours);
  out.Set("curveKernels", curve_kernels);
  out.Set("curvesSwitchedOff", ec::SwitchedOff());
  out.Set("openssl", OpenSSL_version(OPENSSL_FULL_VERSION_STRING));
  out.Set("lockedMemory", core::LockedMemory());
  out.Set("mlDsa", keys::HasMlDsa());
  out.Set("ed25519ph", keys::FindEd25519Ph() != nullptr);
  return out;
}

Napi::Value SetNumThreads(const Napi::CallbackInfo &info) {
  crew::SetNumThreads(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

constexpr Export kExports[] = {
    {"capabilities", Capabilities},
    {"setNumThreads", SetNumThreads},
};

}  // namespace

std::span<const Export> ProcessFunctions() { return kExports; }

}  // namespace pairmint::addon
