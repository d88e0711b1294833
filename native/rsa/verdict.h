#ifndef NATIVE_RSA_VERDICT_H_
#define NATIVE_RSA_VERDICT_H_

#include "core/abort_flag.h"
#include "core/status.h"
#include "mont/mont.h"

namespace pairmint::rsa {

// Verdict says what becomes of two numbers that are meant to be p and q.
enum class Verdict {
  kAccepted,
  kRefusedP,
  kRefusedQ,
  kRefusedBoth,
};

// Tests whether the first two lanes of `pair`, which passed the filter of
// `kernel`, are primes: FIPS 186-5, A.1.3, steps 4.6 and 5.7. A kernel that
// contradicts OpenSSL is switched off and both numbers are refused, because the
// kernel chose them.
core::Status VerifyPrimes(const mont::Kernel &kernel, int prime_bits,
                          const mont::Numbers &pair,
                          const core::AbortFlag &abort, Verdict *out);

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_VERDICT_H_
