#include "addon/job.h"

#include <openssl/err.h>

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
    case StatusCode::kInvalidToken:
      return "INVALID_TOKEN";
    case StatusCode::kInvalidKeyMaterial:
      return "INVALID_KEY_MATERIAL";
    case StatusCode::kRootKeyMissing:
      return "ROOT_KEY_MISSING";
    case StatusCode::kRootKeyRefused:
      return "ROOT_KEY_REFUSED";
    case StatusCode::kIo:
      return "IO";
    case StatusCode::kEntropy:
      return "ENTROPY";
    case StatusCode::kUnsupported:
      return "UNSUPPORTED";
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

Napi::Value ToError(Napi::Env env, const Status &status) {
  napi_value code = nullptr;
  napi_value message = nullptr;
  napi_value error = nullptr;
  const char *name = CodeName(status.code());
  const char *text = status.message().empty() ? name : status.message().c_str();
  if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code) != napi_ok ||
      napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) !=
          napi_ok ||
      napi_create_error(env, code, message, &error) != napi_ok) {
    return {};
  }
  return {env, error};
}

Napi::Value Throw(Napi::Env env, const Status &status) {
  const Napi::Value error = ToError(env, status);
  if (!error.IsEmpty()) {
    napi_throw(env, error);
  }
  return {};
}

Napi::Value RunHere(Napi::Env env, Job &job) {
  const CleanErrorQueue clean;
  const Status status = job.Run();
  return status.ok() ? job.Result(env) : Throw(env, status);
}

Napi::Value RunAllHere(Napi::Env env, std::span<Job *const> jobs) {
  const CleanErrorQueue clean;
  std::vector<Status> statuses;
  statuses.reserve(jobs.size());
  for (Job *job : jobs) {
    statuses.push_back(job->Run());
  }
  std::vector<Napi::Value> outcomes;
  outcomes.reserve(jobs.size());
  for (size_t i = 0; i < jobs.size(); i++) {
    outcomes.push_back(statuses[i].ok() ? jobs[i]->Result(env)
                                        : ToError(env, statuses[i]));
  }
  return ToArray(env, outcomes);
}

}  // namespace pairmint::addon
