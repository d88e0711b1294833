#ifndef NATIVE_RSA_PRIMALITY_H_
#define NATIVE_RSA_PRIMALITY_H_

#include "core/abort_flag.h"
#include "core/openssl.h"
#include "core/status.h"
#include "mont/mont.h"

namespace pairmint::rsa {

// Rounds for p and q of FIPS 186-5, Table B.1: error probability 2^-112 for
// 1024-bit primes, 2^-128 and 2^-144 for 1536 and 2048 bits. Trial division and
// the base-2 test come before and do not count.
constexpr int MillerRabinRounds(int prime_bits) {
  return prime_bits < 1536 ? 5 : 4;
}

// One round of FIPS 186-5, B.3.1, steps 4.3 to 4.7, for an odd w > 3 and the
// base b, by OpenSSL. out = whether w may be prime.
core::Status MillerRabinRound(const BIGNUM *w, const BIGNUM *b, bool *out);

// FIPS 186-5, B.3.1 for any w with `rounds` random bases, by OpenSSL.
core::Status MillerRabin(const BIGNUM *w, int rounds,
                         const core::AbortFlag &abort, bool *out);

// FIPS 186-5, B.3.1 for the numbers w[0 .. num_numbers-1] of `bits` bits, all 3
// mod 4, in the lanes of `kernel`. out[i] = whether w[i] may be prime.
core::Status MillerRabinInLanes(const mont::Kernel &kernel, int bits,
                                const mont::Numbers &w, int num_numbers,
                                int rounds, const core::AbortFlag &abort,
                                bool *out);

// The same for the two numbers w[0] and w[1] by OpenSSL, which does two
// exponentiations at a time faster than one after the other where it can. out =
// whether both may be prime.
core::Status MillerRabinPair(int bits, const mont::Numbers &w, int rounds,
                             const core::AbortFlag &abort, bool *out);

// Fermat's test to base 2 by OpenSSL, to judge a kernel's.
core::Status FermatBase2(int bits, const uint64_t *words, bool *out);

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_PRIMALITY_H_
