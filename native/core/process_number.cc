#include "core/process_number.h"

#include <uv.h>

#include <atomic>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace pairmint::core {
namespace {

using Number = std::atomic<uint64_t>;

// 0 in a process that has not asked for its number yet. nullptr if the system
// cannot wipe it at a fork.
Number *NumberThatForksWipe() {
#if defined(MADV_WIPEONFORK)
  const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void *page = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    return nullptr;
  }
  // Emulators of user space accept any advice and follow none: those accept one
  // that does not exist.
  constexpr int kNoAdvice = -1;
  if (madvise(page, size, kNoAdvice) == 0 ||
      madvise(page, size, MADV_WIPEONFORK) != 0) {
    munmap(page, size);
    return nullptr;
  }
  return new (page) Number(0);
#else
  return nullptr;
#endif
}

}  // namespace

uint64_t ProcessNumber() {
  static Number *const kNumber = NumberThatForksWipe();
  if (kNumber == nullptr) {
    return static_cast<uint64_t>(uv_os_getpid());
  }
  uint64_t own = kNumber->load(std::memory_order_relaxed);
  if (own != 0) {
    return own;
  }
  // A fork copies it, so that no process gets a number of its forebears.
  static Number last{0};
  const uint64_t next = ++last;
  return kNumber->compare_exchange_strong(own, next) ? next : own;
}

}  // namespace pairmint::core
