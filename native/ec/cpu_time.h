#ifndef NATIVE_EC_CPU_TIME_H_
#define NATIVE_EC_CPU_TIME_H_

#include <time.h>

namespace pairmint::ec {

// CPU time of this thread: others may hold the processor for a while.
inline double MillisecondsNow() {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) +
         1e-6 * static_cast<double>(now.tv_nsec);
#else
  return 1e3 * static_cast<double>(clock()) / CLOCKS_PER_SEC;
#endif
}

}  // namespace pairmint::ec

#endif  // NATIVE_EC_CPU_TIME_H_
