#ifndef NATIVE_ADDON_JOB_H_
#define NATIVE_ADDON_JOB_H_

#include <napi.h>

#include <memory>

#include "core/abort_flag.h"
#include "core/status.h"

namespace pairmint::addon {

// Job is the work of one crossing from JavaScript, cut at the two places where
// threads may change: arguments are read in its constructor on the JavaScript
// thread, Run may be on any thread, Result is on the JavaScript thread again.
class Job {
 public:
  Job() = default;
  virtual ~Job() = default;
  Job(const Job &) = delete;
  Job &operator=(const Job &) = delete;

  virtual core::Status Run() = 0;
  // Called once, after a Run that was ok.
  virtual Napi::Value Result(Napi::Env env) = 0;

  core::AbortFlag &abort() { return abort_; }

 private:
  core::AbortFlag abort_;
};

// Runs the job in the calling thread: for work that takes less time than
// handing it to another thread does. Throws a JavaScript error on failure.
Napi::Value RunHere(Napi::Env env, Job &job);

// Runs the job on a libuv worker thread; the promise rejects on failure.
Napi::Promise RunOnWorker(Napi::Env env, std::unique_ptr<Job> job);

// The error that `status` becomes in JavaScript: an Error whose `code` is the
// status code's name.
Napi::Error ToError(Napi::Env env, const core::Status &status);

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_JOB_H_
