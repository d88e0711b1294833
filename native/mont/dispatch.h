#ifndef NATIVE_MONT_DISPATCH_H_
#define NATIVE_MONT_DISPATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "mont/mont.h"

namespace pairmint::mont {

// KernelFor returns the kernel to use for numbers of `bits` bits. The first
// call chooses: the one that the environment variable PAIRMINT_KERNEL names,
// else the best that this processor prefers. Before a kernel is used for a
// width it has to agree with the reference and with known primes; if it does
// not, it is switched off for the process and OpenSSL's is returned.
const Kernel &KernelFor(int bits);

// Switches a kernel off for the process: what it said was wrong. OpenSSL's
// kernel cannot be switched off.
void SwitchOff(const Kernel &kernel, const std::string &reason);
// Cheap enough to ask before every batch.
bool SwitchedOff(const Kernel &kernel);
// Compares once more and switches off on a difference; true if all is well.
bool Recheck(const Kernel &kernel, int bits);
// For the report: a rejection was repeated in OpenSSL.
void CountAudit();

// What `capabilities()` and `doctor` tell about the kernels.
struct Report {
  struct Row {
    std::string name;
    bool capable = false;    // the processor and this build can run it
    bool preferred = false;  // and it is worth running
  };
  std::vector<Row> kernels;
  std::vector<std::string> names;  // values of PAIRMINT_KERNEL that it may have
  std::string chosen;              // what is used now
  std::string requested;           // PAIRMINT_KERNEL, if it is set
  // PAIRMINT_KERNEL names no kernel, or one that cannot run here; the choice
  // was made as if it were not set.
  bool request_refused = false;
  std::string switched_off;  // why, if it happened
  uint64_t audits = 0;
};
Report GetReport();

#if defined(PAIRMINT_TESTING)
// Makes `kernel` (which must live on) the chosen one, not switched off;
// `compared`: skips the comparison before first use. nullptr chooses as at the
// start of the process.
void ChooseForTest(const Kernel *kernel, bool compared);
#endif

}  // namespace pairmint::mont

#endif  // NATIVE_MONT_DISPATCH_H_
