#ifndef NATIVE_CORE_ABORT_FLAG_H_
#define NATIVE_CORE_ABORT_FLAG_H_

#include <atomic>

namespace pairmint::core {

// AbortFlag tells a running job that its caller gave up. Long jobs
// look at it at least every few milliseconds, wipe and return kAborted.
class AbortFlag {
 public:
  void Raise() { raised_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool raised() const {
    return raised_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> raised_{false};
};

}  // namespace pairmint::core

#endif  // NATIVE_CORE_ABORT_FLAG_H_
