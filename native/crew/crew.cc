#include "crew/crew.h"

#include <openssl/crypto.h>
#include <uv.h>

#include <algorithm>
#include <list>
#include <utility>
#include <vector>

namespace pairmint::crew {
namespace {

// A task that at least one thread is at.
struct Running {
  std::shared_ptr<Task> task;
  int num_threads = 0;
  bool completed = false;
  // Somebody came out empty-handed: there is nothing left to share.
  bool closed = false;
};

constexpr int kMaxShortInARow = 64;

// uv_mutex_t and uv_cond_t instead of the standard library's: those of a recent
// libstdc++ would raise the glibc floor.
class Crew {
 public:
  Crew() {
    uv_mutex_init(&mutex_);
    uv_cond_init(&work_);
    uv_cond_init(&idle_);
  }

  // Runs when the process exits or the addon is unloaded, before OpenSSL tears
  // itself down under a thread that still works: handlers of exit() run in the
  // reverse order of their registration, and OpenSSL's is older than ours.
  ~Crew() {
    uv_mutex_lock(&mutex_);
    stopping_ = true;
    waiting_.clear();
    short_.clear();
    for (Running &running : running_) {
      running.task->Abort();
      running.completed = true;
    }
    uv_cond_broadcast(&work_);
    uv_mutex_unlock(&mutex_);
    for (uv_thread_t &thread : threads_) {
      uv_thread_join(&thread);
    }
    uv_cond_destroy(&idle_);
    uv_cond_destroy(&work_);
    uv_mutex_destroy(&mutex_);
  }

  Crew(const Crew &) = delete;
  Crew &operator=(const Crew &) = delete;

  void SetNumThreads(int num_threads) {
    uv_mutex_lock(&mutex_);
    if (max_threads_ == 0) {
      max_threads_ = std::max(num_threads, 1);
    }
    uv_mutex_unlock(&mutex_);
  }

  void Add(std::shared_ptr<Task> task) {
    uv_mutex_lock(&mutex_);
    const bool shareable = task->Shareable();
    (task->Short() ? short_ : waiting_).push_back(std::move(task));
    // A task that can be shared is worth every thread there may be.
    const size_t wanted =
        shareable ? SIZE_MAX
                  : short_.size() + waiting_.size() + running_.size();
    StartThreads(wanted);
    if (shareable) {
      uv_cond_broadcast(&work_);
    } else {
      uv_cond_signal(&work_);
    }
    uv_mutex_unlock(&mutex_);
  }

  void Cancel(const std::shared_ptr<Task> &task) {
    uv_mutex_lock(&mutex_);
    const bool waited = waiting_.remove(task) + short_.remove(task) > 0;
    uv_mutex_unlock(&mutex_);
    task->Abort();
    if (waited && task->Work()) {
      task->Deliver();
    }
  }

  void Abandon(const void *owner) {
    uv_mutex_lock(&mutex_);
    for (std::list<std::shared_ptr<Task>> *tasks : {&waiting_, &short_}) {
      tasks->remove_if(
          [owner](const auto &task) { return task->owner() == owner; });
    }
    for (Running &running : running_) {
      if (running.task->owner() == owner) {
        running.task->Abort();
        running.completed = true;  // by nobody: it is not delivered
      }
    }
    while (std::any_of(running_.begin(), running_.end(),
                       [owner](auto &r) { return r.task->owner() == owner; })) {
      uv_cond_wait(&idle_, &mutex_);
    }
    uv_mutex_unlock(&mutex_);
  }

 private:
  using RunningPosition = std::list<Running>::iterator;

  void StartThreads(size_t wanted) {
    const size_t most =
        std::min(wanted, static_cast<size_t>(std::max(max_threads_, 1)));
    while (threads_.size() < most) {
      uv_thread_t thread;
      if (uv_thread_create(
              &thread, [](void *crew) { static_cast<Crew *>(crew)->Serve(); },
              this) != 0) {
        break;  // the threads that there are have to do
      }
      threads_.push_back(thread);
    }
  }

  void Serve() {
    uv_mutex_lock(&mutex_);
    while (!stopping_) {
      const RunningPosition position = Choose();
      if (position == running_.end()) {
        uv_cond_wait(&work_, &mutex_);
        continue;
      }
      position->num_threads++;
      const std::shared_ptr<Task> task = position->task;
      uv_mutex_unlock(&mutex_);
      const bool completed = task->Work();
      uv_mutex_lock(&mutex_);
      Finish(position, completed);
    }
    uv_mutex_unlock(&mutex_);
    OPENSSL_thread_stop();  // frees this thread's random generator
  }

  // The oldest task that waits, or else the running one that fewest threads
  // share; running_.end() when there is nothing to do.
  RunningPosition Choose() {
    const bool take_short =
        !short_.empty() &&
        (waiting_.empty() || num_short_in_a_row_ < kMaxShortInARow);
    num_short_in_a_row_ = take_short ? num_short_in_a_row_ + 1 : 0;
    std::list<std::shared_ptr<Task>> &tasks = take_short ? short_ : waiting_;
    if (!tasks.empty()) {
      running_.push_back({std::move(tasks.front())});
      tasks.pop_front();
      return std::prev(running_.end());
    }
    RunningPosition chosen = running_.end();
    for (RunningPosition it = running_.begin(); it != running_.end(); ++it) {
      if (!it->completed && !it->closed && it->task->Shareable() &&
          (chosen == running_.end() || it->num_threads < chosen->num_threads)) {
        chosen = it;
      }
    }
    return chosen;
  }

  void Finish(RunningPosition position, bool completed) {
    position->closed = true;
    position->num_threads--;
    if (completed && !position->completed) {
      position->completed = true;
      // Under the lock, so that Abandon cannot come between.
      position->task->Deliver();
    }
    if (position->num_threads == 0 && position->completed) {
      running_.erase(position);
      uv_cond_broadcast(&idle_);
    }
  }

  uv_mutex_t mutex_;  // guards all that follows
  uv_cond_t work_;    // a task waits, or the crew stops
  uv_cond_t idle_;    // the last thread has left a task
  int max_threads_ = 0;
  bool stopping_ = false;
  std::list<std::shared_ptr<Task>> waiting_;
  std::list<std::shared_ptr<Task>> short_;
  int num_short_in_a_row_ = 0;
  std::list<Running> running_;
  std::vector<uv_thread_t> threads_;
};

Crew &TheCrew() {
  static Crew crew;
  return crew;
}

}  // namespace

void SetNumThreads(int num_threads) { TheCrew().SetNumThreads(num_threads); }

void Add(std::shared_ptr<Task> task) { TheCrew().Add(std::move(task)); }

void Cancel(const std::shared_ptr<Task> &task) { TheCrew().Cancel(task); }

void Abandon(const void *owner) { TheCrew().Abandon(owner); }

}  // namespace pairmint::crew
