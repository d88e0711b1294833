#ifndef NATIVE_CORE_PROCESS_NUMBER_H_
#define NATIVE_CORE_PROCESS_NUMBER_H_

#include <cstdint>

namespace pairmint::core {

// A number that this process has in common with none that it was forked from or
// that is forked off it: who remembers it can tell that what lies beside it was
// copied by a fork. Takes a nanosecond, where the kernel can wipe a page in a
// process that is forked off; elsewhere it is the process id.
uint64_t ProcessNumber();

}  // namespace pairmint::core

#endif  // NATIVE_CORE_PROCESS_NUMBER_H_
