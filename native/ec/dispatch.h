#ifndef NATIVE_EC_DISPATCH_H_
#define NATIVE_EC_DISPATCH_H_

#include <cstdint>
#include <string>

#include "ec/comb.h"
#include "ec/curve.h"
#include "ec/lanes.h"
#include "ec/multiply.h"

namespace pairmint::ec {

// The name of what multiplies the curve's generator: "avx512ifma", "portable"
// or "openssl". It is the first row of a table (dispatch.cc) of which
// processor, OpenSSL and PAIRMINT_KERNEL allow the code. Nothing is timed: on a
// busy machine a process would choose the slow way for good.
const char *KernelOf(const Curve &curve);
// Whether that is not OpenSSL.
bool IsOurs(const Curve &curve);

// MultiplierFor returns our code for the curve, or nothing if OpenSSL must
// multiply. The first call for a curve fills the table for good and tests it:
// all of our code is switched off if its points differ from OpenSSL's.
Multiplier MultiplierFor(const Curve &curve);

// Whether MultiplierFor returns lanes at once: their tables are made and
// tested. Never waits.
bool AreLanesReady(const Curve &curve);

// Whether OpenSSL is to have its word on this work, too, of which one in
// `interval` is asked for, and the first of the process.
bool IsAuditDue(const Curve &curve, uint32_t interval);

// Whether the processor and PAIRMINT_KERNEL allow code for AVX-512 IFMA.
bool MayUseIfma();

// Switches all of our code off for the process: what it said was wrong.
// `curve` is its name, for the report.
void SwitchOff(const char *curve, const std::string &reason);
// Whether that happened. Never waits.
bool IsSwitchedOff();
// Why; empty if it did not.
std::string SwitchedOff();

#if defined(PAIRMINT_TESTING)
// Makes `comb` or `lanes` (which must live on) those of the curve, with a fresh
// table and not switched off; `compared`: skips the comparison before first
// use, and what OpenSSL is asked about the first lot. Without either it chooses
// as at the start of the process.
void ChooseForTest(const Curve &curve, const Comb *comb, const Lanes *lanes,
                   bool compared);
// Forgets why our code was switched off.
void SwitchOnForTest();
#endif

}  // namespace pairmint::ec

#endif  // NATIVE_EC_DISPATCH_H_
