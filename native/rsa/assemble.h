#ifndef NATIVE_RSA_ASSEMBLE_H_
#define NATIVE_RSA_ASSEMBLE_H_

#include "core/status.h"
#include "rsa/key.h"
#include "rsa/verdict.h"

namespace pairmint::rsa {

// The criteria of FIPS 186-5, A.1.1 for primes of a modulus of `modulus_bits`,
// each with the step of A.1.3 that asks for it. Primality is not among them.

// sqrt(2) * 2^(nlen/2 - 1) <= p < 2^(nlen/2); steps 4.4 and 5.5.
bool InRange(const BIGNUM *p, int modulus_bits);
// gcd(p - 1, e) = 1; steps 4.5 and 5.6.
bool CoprimeToExponent(const BIGNUM *p, const BIGNUM *e);
// abs(p - q) > 2^(nlen/2 - 100); step 5.4.
bool FarApart(const BIGNUM *p, const BIGNUM *q, int modulus_bits);

// Computes the key of two primes, p and q in either order, by SP 800-56B rev 2
// (rsakpg1-crt): p > q, d = e^-1 mod lcm(p - 1, q - 1), e = 65537. *out is set
// only when the verdict is kAccepted. kRefusedQ: they are too close;
// kRefusedBoth: d would be too small.
core::Status AssembleKey(const BIGNUM *p, const BIGNUM *q, int modulus_bits,
                         Verdict *verdict, Key *out);

// Computes the numbers of a key that follow quickly from its primes: n, dp and
// dq, which lie in `room`. The key was assembled, and tested, before. Fails
// with kInvalidArgument if key->p and key->q are not of one length and a
// modulus of ours.
core::Status CompleteKey(KeyNumbers *key, core::SecretBytes *room);

// Whether the numbers of `key` belong together, computed by OpenSSL: n = p q,
// e dp = 1 mod p - 1, e dq = 1 mod q - 1, d = dp and dq there, q qinv = 1 mod
// p. kInternal when they do not. If p and q are primes, that proves for every
// message what the pairwise test shows for one, and takes a tenth of the time:
// the check for keys whose primes were tested.
core::Status CheckNumbers(const Key &key);

// The pairwise consistency test of SP 800-56B rev 2, 6.4.1.1 step 4: a random
// message comes back from the public operation and OpenSSL's private one by
// the Chinese remainder theorem. kInternal when it does not. The check for keys
// that others made.
core::Status PairwiseTest(const Key &key);

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_ASSEMBLE_H_
