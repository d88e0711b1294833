#include "rsa/verdict.h"

#include <algorithm>

#include "core/words.h"
#include "mont/dispatch.h"
#include "rsa/key.h"
#include "rsa/primality.h"

namespace pairmint::rsa {
namespace {

using core::AbortFlag;
using core::BignumPtr;
using core::OutOfMemory;
using core::Status;
using core::StatusCode;
using mont::Kernel;
using mont::Numbers;

// The filter passed number `which` and Miller-Rabin in lanes refused it. Either
// the kernel is broken, or the number is a pseudoprime to base 2. Pomerance
// ("On the distribution of pseudoprimes", 1981) bounds these, for large x, by
// x / sqrt(L(x)) up to x with L(x) = exp(ln x * lnlnln x / lnln x), which for
// 1,024 bits would be a share of 2^-146. OpenSSL repeats both tests and tells
// which of them was wrong.
Status SettleDispute(const Kernel &kernel, int bits, const Numbers &pair,
                     int which, const AbortFlag &abort, Verdict *out) {
  const BignumPtr number = core::ToBignum(pair.words[which]);
  bool passes_filter = false;
  bool maybe_prime = false;
  if (number == nullptr) {
    return OutOfMemory(kKeyGeneration);
  }
  PAIRMINT_RETURN_IF_ERROR(
      FermatBase2(bits, pair.words[which], &passes_filter));
  PAIRMINT_RETURN_IF_ERROR(
      MillerRabin(number.get(), MillerRabinRounds(bits), abort, &maybe_prime));
  if (passes_filter && !maybe_prime) {
    *out = which == 0 ? Verdict::kRefusedP : Verdict::kRefusedQ;
    return Status::Ok();
  }
  mont::SwitchOff(kernel, maybe_prime
                              ? "it refused a number that is prime in OpenSSL"
                              : "it let a number pass that fails in OpenSSL");
  *out = Verdict::kRefusedBoth;
  return Status::Ok();
}

// Both primes share one call: for one of them half of the lanes would be empty.
Status VerifyInLanes(const Kernel &kernel, int bits, const Numbers &pair,
                     int rounds, const AbortFlag &abort, Verdict *out) {
  bool maybe_prime[2];
  PAIRMINT_RETURN_IF_ERROR(
      MillerRabinInLanes(kernel, bits, pair, 2, rounds, abort, maybe_prime));
  if (maybe_prime[0] && maybe_prime[1]) {
    *out = Verdict::kAccepted;
    return Status::Ok();
  }
  return SettleDispute(kernel, bits, pair, maybe_prime[0] ? 1 : 0, abort, out);
}

Status VerifyInOpenSsl(const Kernel &kernel, int bits, const Numbers &pair,
                       int rounds, const AbortFlag &abort, Verdict *out) {
  bool accepted = false;
  PAIRMINT_RETURN_IF_ERROR(
      MillerRabinPair(bits, pair, rounds, abort, &accepted));
  // A false alarm would need a composite number that passed the filter and,
  // unless the kernel is OpenSSL, the rounds in lanes.
  if (!accepted) {
    mont::SwitchOff(kernel, "it accepted a number that fails in OpenSSL");
  }
  *out = accepted ? Verdict::kAccepted : Verdict::kRefusedBoth;
  return abort.raised() ? Status(StatusCode::kAborted) : Status::Ok();
}

}  // namespace

// B.3.1 with the rounds of Table B.1. A call of a kernel of ours takes as long
// with one lane as with all, so that it does as many rounds as fill whole
// calls: four for each number with eight or four lanes, which is all of them
// from 1,536 bits on. OpenSSL does the rest and at least one, so that no key
// rests on our arithmetic alone.
//
// That one is enough to see a kernel that accepts everything, the worst it can
// do: it would hand over random numbers without small factors. A given
// composite number passes a round with probability 1/4 at most (Rabin 1980),
// but a random one of k bits that passed is composite with probability
// k^2 * 4^(2 - sqrt(k)) at most (Damgaard, Landrock and Pomerance 1993, theorem
// 2): 2^-40 for 1,024 bits, 2^-53 for 1,536 and 2^-64 for 2,048. A second round
// would cost 4 % of an RSA_2048 key.
Status VerifyPrimes(const Kernel &kernel, int prime_bits, const Numbers &pair,
                    const AbortFlag &abort, Verdict *out) {
  const int rounds = MillerRabinRounds(prime_bits);
  if (&kernel == mont::OpenSslKernel()) {
    return VerifyInOpenSsl(kernel, prime_bits, pair, rounds, abort, out);
  }
  // 1,024 bits: 4 in lanes and 1 by OpenSSL, as Table B.1 asks for 5; 1,536 and
  // 2,048 bits: 4 and 1 where it asks for 4.
  const int num_calls = std::max(1, 2 * rounds / kernel.batch_len);
  const int rounds_in_lanes =
      std::min(rounds, num_calls * kernel.batch_len / 2);
  PAIRMINT_RETURN_IF_ERROR(
      VerifyInLanes(kernel, prime_bits, pair, rounds_in_lanes, abort, out));
  if (*out != Verdict::kAccepted) {
    return Status::Ok();
  }
  return VerifyInOpenSsl(kernel, prime_bits, pair,
                         std::max(1, rounds - rounds_in_lanes), abort, out);
}

}  // namespace pairmint::rsa
