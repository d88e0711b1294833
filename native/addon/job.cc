#include "addon/job.h"

#include <openssl/err.h>

#include <utility>

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

// Runs the job and leaves OpenSSL's error queue of this thread as it was: Node
// reports whatever it finds there as an error of its own.
Status RunClean(Job &job) {
  ERR_set_mark();
  Status status = job.Run();
  ERR_pop_to_mark();
  return status;
}

class Worker final : public Napi::AsyncWorker {
 public:
  Worker(Napi::Env env, std::unique_ptr<Job> job)
      : Napi::AsyncWorker(env, "pairmint"),
        deferred_(Napi::Promise::Deferred::New(env)),
        job_(std::move(job)) {}

  Napi::Promise Promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { status_ = RunClean(*job_); }

  void OnOK() override {
    if (status_.ok()) {
      deferred_.Resolve(job_->Result(Env()));
    } else {
      deferred_.Reject(ToError(Env(), status_).Value());
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::unique_ptr<Job> job_;
  Status status_;
};

}  // namespace

Napi::Error ToError(Napi::Env env, const Status &status) {
  const char *code = CodeName(status.code());
  Napi::Error error = Napi::Error::New(
      env, status.message().empty() ? std::string(code) : status.message());
  error.Set("code", code);
  return error;
}

Napi::Value RunHere(Napi::Env env, Job &job) {
  const Status status = RunClean(job);
  if (!status.ok()) {
    ToError(env, status).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  return job.Result(env);
}

Napi::Promise RunOnWorker(Napi::Env env, std::unique_ptr<Job> job) {
  auto worker = std::make_unique<Worker>(env, std::move(job));
  Napi::Promise promise = worker->Promise();
  worker.release()->Queue();  // deletes itself when it has completed
  return promise;
}

}  // namespace pairmint::addon
