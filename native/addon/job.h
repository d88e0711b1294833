#ifndef NATIVE_ADDON_JOB_H_
#define NATIVE_ADDON_JOB_H_

#include <napi.h>

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "addon/values.h"
#include "core/status.h"

namespace pairmint::addon {

inline core::Status NotUnderstood() {
  return core::Status(core::StatusCode::kInvalidArgument,
                      "the arguments do not fit");
}

// Arguments is the base of what reads its arguments in its constructor. What
// does not fit is refused there: arguments() is not ok, and nothing is run.
class Arguments {
 public:
  [[nodiscard]] const core::Status &arguments() const { return refusal_; }

 protected:
  core::Status *refusal() { return &refusal_; }
  // The first refusal counts.
  void Require(bool fits) {
    if (!fits && refusal_.ok()) {
      refusal_ = NotUnderstood();
    }
  }

 private:
  core::Status refusal_;
};

// Job is the work of one crossing from JavaScript that is done at once, in the
// calling thread: arguments are read in the constructor. Bytes stay where they
// are, as JavaScript does not run meanwhile; a caller's that are read twice are
// copied, as another thread may share them.
class Job : public Arguments {
 public:
  Job() = default;
  virtual ~Job() = default;
  Job(const Job &) = delete;
  Job &operator=(const Job &) = delete;

  virtual core::Status Run() = 0;
  // Called once, after a Run that was ok.
  virtual Napi::Value Result(Napi::Env env) = 0;
};

// Runs the job; throws a JavaScript error on failure.
Napi::Value RunHere(Napi::Env env, Job &job);

// The same for a function of (args) that is a job of type T.
template <typename T>
Napi::Value Here(const Napi::CallbackInfo &info) {
  T job(info[0]);
  return RunHere(info.Env(), job);
}

// PartJob is one of several jobs that are done in one crossing. What comes of
// it is at most kMaxParts byte strings.
class PartJob : public Arguments {
 public:
  static constexpr size_t kMaxParts = 3;
  using Parts = std::array<core::ByteSpan, kMaxParts>;

  PartJob() = default;
  virtual ~PartJob() = default;
  PartJob(const PartJob &) = delete;
  PartJob &operator=(const PartJob &) = delete;

  virtual core::Status Run() = 0;
  // After a Run that was ok; those that are absent are empty.
  [[nodiscard]] virtual Parts parts() const = 0;
};

// Runs the jobs. Returns an array whose first element is an ArrayBuffer: for
// each job the lengths of its parts, kMaxParts numbers of 32 bits, then all
// parts in a row. The other elements are the errors, in the order of the jobs
// that failed, which have kFailed as their first length. JavaScript copies the
// parts out of it in a fraction of the time that it takes to make an
// ArrayBuffer for each of them here, and wipes it.
constexpr uint32_t kFailed = 0xffffffff;
Napi::Value RunAllHere(Napi::Env env, std::span<PartJob *const> jobs);

// The same for jobs of type T, one for each of `args`; with an element of
// `more` each, if there are any.
template <typename T, typename... More>
Napi::Value AllHere(Napi::Env env, const std::vector<Napi::Value> &args,
                    std::vector<More> &...more) {
  std::vector<std::optional<T>> jobs(args.size());
  std::vector<PartJob *> all;
  all.reserve(args.size());
  for (size_t i = 0; i < args.size(); i++) {
    all.push_back(&jobs[i].emplace(args[i], &more[i]...));
  }
  return RunAllHere(env, all);
}

// The error that `status` becomes in JavaScript: an Error whose `code` is the
// status code's name. Empty while the environment is torn down.
Napi::Value ToError(Napi::Env env, const core::Status &status);

// Throws that error; returns what a function that throws returns.
Napi::Value Throw(Napi::Env env, const core::Status &status);

// Keeps OpenSSL's error queue of this thread as it was: Node reports what it
// finds there as an error of its own.
class CleanErrorQueue {
 public:
  CleanErrorQueue();
  ~CleanErrorQueue();
  CleanErrorQueue(const CleanErrorQueue &) = delete;
  CleanErrorQueue &operator=(const CleanErrorQueue &) = delete;
};

}  // namespace pairmint::addon

#endif  // NATIVE_ADDON_JOB_H_
