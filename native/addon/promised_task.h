#ifndef NATIVE_ADDON_PROMISED_TASK_H_
#define NATIVE_ADDON_PROMISED_TASK_H_

#include <napi.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "addon/job.h"
#include "core/abort_flag.h"
#include "core/status.h"
#include "crew/crew.h"

namespace pairmint::addon {

class Courier;

// PromisedTask is a crew's task that JavaScript holds a promise of. Arguments
// are read in the constructor and Result is made on the JavaScript thread;
// Share may be on any thread, and on several if the task is Shareable.
class PromisedTask : public crew::Task,
                     public Arguments,
                     public std::enable_shared_from_this<PromisedTask> {
 public:
  explicit PromisedTask(Napi::Env env);

  bool Work() final;
  void Abort() final { abort_.Raise(); }
  void Deliver() final;
  [[nodiscard]] const void *owner() const final;

  // Keeps the process alive until the task is settled.
  void Expect(Napi::Env env);
  // Resolves or rejects the promise; on the JavaScript thread.
  void Settle(Napi::Env env);
  // Valid until the constructor's caller returns to JavaScript.
  [[nodiscard]] napi_value promise() const { return promise_; }

 protected:
  // Does a share of the work. The status of the whole task if this call
  // completed it or failed; nothing if there was no share left.
  virtual std::optional<core::Status> Share() = 0;
  // Called once, after the work ended well.
  virtual Napi::Value Result(Napi::Env env) = 0;

  [[nodiscard]] const core::AbortFlag &abort() const { return abort_; }

 private:
  core::AbortFlag abort_;
  std::shared_ptr<Courier> courier_;
  napi_deferred deferred_ = nullptr;
  napi_value promise_ = nullptr;
  std::atomic<bool> completed_{false};
  core::Status status_;
};

// A task that mints pairs of a spec for the `caller` that the arguments name.
class MintingTask : public PromisedTask {
 public:
  MintingTask(Napi::Env env, const Napi::Value &args, std::string spec);

  [[nodiscard]] crew::Length length() const final;
  [[nodiscard]] std::string_view caller() const final { return caller_; }

 protected:
  [[nodiscard]] const std::string &spec() const { return spec_; }

 private:
  std::string spec_;
  std::string caller_;
};

// Gives the task to the crew and returns its promise. `on_start`, if it is a
// function, gets a function that aborts the task.
Napi::Value Start(std::shared_ptr<PromisedTask> task,
                  const Napi::Value &on_start);

// The same for a function of (args, onStart) that is a task of type T.
template <typename T>
Napi::Value ByCrew(const Napi::CallbackInfo &info) {
  return Start(std::make_shared<T>(info.Env(), info[0]), info[1]);
}

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_PROMISED_TASK_H_
