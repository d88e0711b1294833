#include "addon/job.h"

#include <openssl/err.h>

#include <string>

namespace pairmint::addon {
namespace {

using core::Status;
using core::StatusCode;

const char *CodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "OK";
    case StatusCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case StatusCode::kInvalidCiphertext:
      return "INVALID_CIPHERTEXT";
    case StatusCode::kInvalidRecord:
      return "INVALID_RECORD";
    case StatusCode::kRootKeyMissing:
      return "ROOT_KEY_MISSING";
    case StatusCode::kRootKeyRefused:
      return "ROOT_KEY_REFUSED";
    case StatusCode::kIo:
      return "IO";
    case StatusCode::kEntropy:
      return "ENTROPY";
    case StatusCode::kAborted:
      return "ABORTED";
    case StatusCode::kInternal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

}  // namespace

CleanErrorQueue::CleanErrorQueue() { ERR_set_mark(); }

CleanErrorQueue::~CleanErrorQueue() { ERR_pop_to_mark(); }

Napi::Error ToError(Napi::Env env, const Status &status) {
  const char *code = CodeName(status.code());
  Napi::Error error = Napi::Error::New(
      env, status.message().empty() ? std::string(code) : status.message());
  error.Set("code", code);
  return error;
}

Napi::Value RunHere(Napi::Env env, Job &job) {
  const CleanErrorQueue clean;
  const Status status = job.Run();
  if (!status.ok()) {
    ToError(env, status).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  return job.Result(env);
}

}  // namespace pairmint::addon
