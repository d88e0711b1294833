#ifndef NATIVE_CREW_CREW_H_
#define NATIVE_CREW_CREW_H_

#include <memory>
#include <string_view>

namespace pairmint::crew {

// How long a task takes on one thread.
enum class Length {
  kStep,   // a few milliseconds: the use of a key
  kBrief,  // a pair, or a lot of them, on a curve or of ML-DSA; other work
  kLong,   // an RSA key: up to seconds
};

// Task is work that takes too long for the JavaScript thread.
class Task {
 public:
  Task() = default;
  virtual ~Task() = default;
  Task(const Task &) = delete;
  Task &operator=(const Task &) = delete;

  // Does the work or, where Shareable, a share of it. True in the one call
  // that completes the task; the calls that come out empty-handed return
  // false.
  virtual bool Work() = 0;
  // Whether several threads may be in Work at the same time.
  [[nodiscard]] virtual bool Shareable() const { return false; }
  [[nodiscard]] virtual Length length() const { return Length::kBrief; }
  // Whom the work is for: callers take turns.
  [[nodiscard]] virtual std::string_view caller() const { return {}; }
  // Makes every call of Work return within 10 ms.
  virtual void Abort() = 0;
  // Called once, by the thread that completed the task.
  virtual void Deliver() = 0;
  // Whose task it is, for Abandon.
  [[nodiscard]] virtual const void *owner() const = 0;
};

// The crew is the process's threads for minting. They are our own and not
// libuv's: minting would occupy that pool, which fs, dns and zlib share, and
// its tasks can be neither joined by a second thread nor taken back when their
// environment ends.
//
// There are two benches of one thread per core: long tasks have one, all others
// the other, so that nothing short ever waits for an RSA key to be found. The
// threads run at a lower priority than the one that started them, those of long
// tasks at the lowest: if all cores are busy, the event loop comes first.
//
// On a bench callers take turns, and a caller's tasks start in the order in
// which they come; steps before brief tasks, but after some of them in a row
// one of those, so that nothing waits for ever. A thread that finds none
// waiting joins one that can be shared, so that a lone request has every core.

// How many threads each bench may have; those that are needed are started. The
// first call counts.
void SetNumThreads(int num_threads);

void Add(std::shared_ptr<Task> task);

// Aborts a task. One that waits is delivered at once, by this thread, after a
// Work that finds itself aborted.
void Cancel(const std::shared_ptr<Task> &task);

// Takes back all tasks of `owner`: those that wait are dropped, those that run
// are aborted. None of them is delivered and no thread is at one afterwards.
void Abandon(const void *owner);

}  // namespace pairmint::crew

#endif  // NATIVE_CREW_CREW_H_
