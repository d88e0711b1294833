#include "addon/promised_task.h"

#include <utility>

#include "addon/job.h"
#include "addon/values.h"
#include "mint/mint.h"

namespace pairmint::addon {

using core::Status;
using core::StatusCode;

// Courier brings completed tasks back to the JavaScript thread of their
// environment, and takes tasks back from the crew when the environment ends.
class Courier {
 public:
  explicit Courier(Napi::Env env) {
    NAPI_FATAL_IF_FAILED(
        napi_create_threadsafe_function(
            env, nullptr, nullptr, Napi::String::New(env, "pairmint"), 0, 1,
            nullptr, nullptr, nullptr, Receive, &channel_),
        "Courier", "no channel to the JavaScript thread");
    napi_unref_threadsafe_function(env, channel_);
  }

  // The courier of an environment, made on first use.
  static std::shared_ptr<Courier> Of(Napi::Env env) {
    using Shared = std::shared_ptr<Courier>;
    auto *shared = env.GetInstanceData<Shared>();
    if (shared == nullptr) {
      shared = new Shared(std::make_shared<Courier>(env));
      env.SetInstanceData<Shared>(shared);
      env.AddCleanupHook([courier = *shared] { courier->Close(); });
    }
    return *shared;
  }

  // The process stays alive while tasks are under way, and no longer.
  void Expect(Napi::Env env) {
    if (num_expected_++ == 0) {
      napi_ref_threadsafe_function(env, channel_);
    }
  }

  // From any thread.
  void Bring(std::shared_ptr<PromisedTask> task) {
    auto *parcel = new Parcel(std::move(task));
    if (napi_call_threadsafe_function(channel_, parcel,
                                      napi_tsfn_nonblocking) != napi_ok) {
      delete parcel;  // the environment has ended
    }
  }

 private:
  using Parcel = std::shared_ptr<PromisedTask>;

  static void Receive(napi_env env, napi_value /*unused*/, void * /*unused*/,
                      void *data) {
    auto *parcel = static_cast<Parcel *>(data);
    const Parcel task = std::move(*parcel);
    delete parcel;
    if (env != nullptr) {  // otherwise the environment has ended
      Of(env)->Received(env);
      task->Settle(env);
    }
  }

  void Received(Napi::Env env) {
    if (--num_expected_ == 0) {
      napi_unref_threadsafe_function(env, channel_);
    }
  }

  void Close() {
    crew::Abandon(this);
    napi_release_threadsafe_function(channel_, napi_tsfn_abort);
  }

  napi_threadsafe_function channel_ = nullptr;
  size_t num_expected_ = 0;  // on the JavaScript thread only
};

PromisedTask::PromisedTask(Napi::Env env) : courier_(Courier::Of(env)) {
  napi_create_promise(env, &deferred_, &promise_);
}

const void *PromisedTask::owner() const { return courier_.get(); }

bool PromisedTask::Work() {
  const CleanErrorQueue clean;
  std::optional<Status> status = arguments();
  if (status->ok()) {
    status = abort_.raised() ? Status(StatusCode::kAborted) : Share();
  }
  // A failure shows in every thread that shares the task; one reports it.
  if (!status || completed_.exchange(true)) {
    return false;
  }
  status_ = std::move(*status);
  return true;
}

void PromisedTask::Deliver() { courier_->Bring(shared_from_this()); }

void PromisedTask::Expect(Napi::Env env) { courier_->Expect(env); }

void PromisedTask::Settle(Napi::Env env) {
  const Napi::Value value = status_.ok() ? Result(env) : ToError(env, status_);
  if (value.IsEmpty()) {
    return;  // the environment is being torn down
  }
  if (status_.ok()) {
    napi_resolve_deferred(env, deferred_, value);
  } else {
    napi_reject_deferred(env, deferred_, value);
  }
}

MintingTask::MintingTask(Napi::Env env, const Napi::Value &args,
                         std::string spec)
    : PromisedTask(env),
      spec_(std::move(spec)),
      caller_(TextOf(Member(args, "caller"))) {}

crew::Length MintingTask::length() const {
  return mint::IsLong(spec_) ? crew::Length::kLong : crew::Length::kBrief;
}

Napi::Value Start(std::shared_ptr<PromisedTask> task,
                  const Napi::Value &on_start) {
  const Napi::Env env = on_start.Env();
  const Napi::Value promise(env, task->promise());
  if (on_start.IsFunction()) {
    const auto abort = [weak = std::weak_ptr<PromisedTask>(task)](
                           const Napi::CallbackInfo & /*info*/) {
      if (const auto started = weak.lock()) {
        crew::Cancel(started);
      }
    };
    on_start.As<Napi::Function>().Call({Napi::Function::New(env, abort)});
  }
  task->Expect(env);
  crew::Add(std::move(task));
  return promise;
}

}  // namespace pairmint::addon
