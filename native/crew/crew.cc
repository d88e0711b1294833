#include "crew/crew.h"

#include <openssl/crypto.h>
#include <uv.h>

#include <algorithm>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/resource.h>

#include <cerrno>
#elif defined(__APPLE__)
#include <pthread/qos.h>
#endif

namespace pairmint::crew {
namespace {

// A task that at least one thread is at.
struct Running {
  std::shared_ptr<Task> task;
  int num_threads = 0;
  bool completed = false;
  // A thread came out empty-handed: there is nothing left to share.
  bool closed = false;
};

// A signature takes about as long as a pair on a slow curve: a brief task waits
// for some hundredths of a second at most, and takes two hundredths of the time
// of a bench that is full of steps.
constexpr int kMaxStepsInARow = 64;

// Tasks that wait. Callers take turns; the tasks of each are in the order in
// which they came.
class Turns {
 public:
  [[nodiscard]] bool empty() const { return lines_.empty(); }
  [[nodiscard]] size_t size() const { return size_; }

  void Add(std::shared_ptr<Task> task) {
    const auto [found, is_new] =
        lines_of_.try_emplace(std::string(task->caller()), lines_.end());
    if (is_new) {
      found->second = lines_.insert(lines_.end(), {found->first, {}});
    }
    found->second->tasks.push_back(std::move(task));
    size_++;
  }

  // The first task of the caller whose turn it is.
  std::shared_ptr<Task> Take() {
    const auto line = lines_.begin();
    std::shared_ptr<Task> task = std::move(line->tasks.front());
    line->tasks.pop_front();
    size_--;
    if (line->tasks.empty()) {
      Drop(line);
    } else {
      lines_.splice(lines_.end(), lines_, line);
    }
    return task;
  }

  // Says whether it waited here.
  bool Remove(const std::shared_ptr<Task> &task) {
    const auto found = lines_of_.find(std::string(task->caller()));
    if (found == lines_of_.end()) {
      return false;
    }
    const auto line = found->second;
    const size_t removed = line->tasks.remove(task);
    size_ -= removed;
    if (line->tasks.empty()) {
      Drop(line);
    }
    return removed > 0;
  }

  void RemoveOf(const void *owner) {
    for (auto line = lines_.begin(); line != lines_.end();) {
      size_ -= line->tasks.remove_if(
          [owner](const auto &task) { return task->owner() == owner; });
      const auto current = line++;
      if (current->tasks.empty()) {
        Drop(current);
      }
    }
  }

  void Clear() {
    lines_of_.clear();
    lines_.clear();
    size_ = 0;
  }

 private:
  struct Line {
    std::string caller;
    std::list<std::shared_ptr<Task>> tasks;  // never empty
  };
  using Position = std::list<Line>::iterator;

  void Drop(Position line) {
    lines_of_.erase(line->caller);
    lines_.erase(line);
  }

  std::list<Line> lines_;  // in the order of their turns
  std::unordered_map<std::string, Position> lines_of_;
  size_t size_ = 0;
};

// Lowers this thread's priority; without effect if the system refuses.
void LowerPriority([[maybe_unused]] int by) {
#if defined(__linux__)
  // The calling thread's own, whatever POSIX says of processes: setpriority(2),
  // "C library/kernel differences".
  errno = 0;
  const int current = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) {
    setpriority(PRIO_PROCESS, 0, std::min(current + by, 19));
  }
#elif defined(__APPLE__)
  pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
#elif defined(_WIN32)
  SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL);
#endif
}

// Nice values, on Linux. Five of them leave a thread about a third of the time
// that one without gets on the same core, ten a tenth.
constexpr int kBriefNiceness = 5;
constexpr int kLongNiceness = 10;

// uv_mutex_t and uv_cond_t instead of the standard library's: those of a recent
// libstdc++ would raise the glibc floor.
class Bench {
 public:
  explicit Bench(int niceness) : niceness_(niceness) {
    uv_mutex_init(&mutex_);
    uv_cond_init(&work_);
    uv_cond_init(&idle_);
  }

  // Runs when the process exits or the addon is unloaded, before OpenSSL tears
  // itself down under a thread that still works: handlers of exit() run in the
  // reverse order of their registration, and OpenSSL's is older than ours.
  // Whatever a thread may touch must outlive this, and so has no destructor.
  ~Bench() {
    uv_mutex_lock(&mutex_);
    stopping_ = true;
    waiting_.Clear();
    steps_.Clear();
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

  Bench(const Bench &) = delete;
  Bench &operator=(const Bench &) = delete;

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
    (task->length() == Length::kStep ? steps_ : waiting_).Add(std::move(task));
    // A task that can be shared is worth every thread there may be.
    const size_t wanted =
        shareable ? SIZE_MAX
                  : steps_.size() + waiting_.size() + running_.size();
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
    const bool waited = waiting_.Remove(task) || steps_.Remove(task);
    uv_mutex_unlock(&mutex_);
    task->Abort();
    if (waited && task->Work()) {
      task->Deliver();
    }
  }

  void Abandon(const void *owner) {
    uv_mutex_lock(&mutex_);
    waiting_.RemoveOf(owner);
    steps_.RemoveOf(owner);
    for (Running &running : running_) {
      if (running.task->owner() == owner) {
        running.task->Abort();
        running.completed = true;  // aborted: it is not delivered
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
              &thread,
              [](void *bench) { static_cast<Bench *>(bench)->Serve(); },
              this) != 0) {
        break;  // the threads that there are have to do
      }
      threads_.push_back(thread);
    }
  }

  void Serve() {
    LowerPriority(niceness_);
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

  // The task that waits and whose turn it is, or else the running one that
  // fewest threads share; running_.end() when there is nothing to do.
  RunningPosition Choose() {
    const bool take_step =
        !steps_.empty() &&
        (waiting_.empty() || num_steps_in_a_row_ < kMaxStepsInARow);
    num_steps_in_a_row_ = take_step ? num_steps_in_a_row_ + 1 : 0;
    Turns &tasks = take_step ? steps_ : waiting_;
    if (!tasks.empty()) {
      running_.push_back({tasks.Take()});
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

  const int niceness_;
  uv_mutex_t mutex_;  // guards all that follows
  uv_cond_t work_;    // a task waits, or the crew stops
  uv_cond_t idle_;    // the last thread has left a task
  int max_threads_ = 0;
  bool stopping_ = false;
  Turns waiting_;
  Turns steps_;
  int num_steps_in_a_row_ = 0;
  std::list<Running> running_;
  std::vector<uv_thread_t> threads_;
};

class Crew {
 public:
  void SetNumThreads(int num_threads) {
    brief_.SetNumThreads(num_threads);
    long_.SetNumThreads(num_threads);
  }

  void Add(std::shared_ptr<Task> task) {
    Bench &bench = BenchOf(*task);
    bench.Add(std::move(task));
  }

  void Cancel(const std::shared_ptr<Task> &task) {
    BenchOf(*task).Cancel(task);
  }

  void Abandon(const void *owner) {
    brief_.Abandon(owner);
    long_.Abandon(owner);
  }

 private:
  Bench &BenchOf(const Task &task) {
    return task.length() == Length::kLong ? long_ : brief_;
  }

  Bench brief_{kBriefNiceness};
  Bench long_{kLongNiceness};
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
