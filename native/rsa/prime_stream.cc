#include "rsa/prime_stream.h"

#include <algorithm>

namespace pairmint::rsa {

// Steps 4.7 and 5.8: 10 (nlen / 2) candidates for p and 20 (nlen / 2) for q,
// where nlen / 2 is prime_bits_. The share of primes among odd numbers of k
// bits is 2 / (k ln 2), so p is missed in 10 k of them with probability e^(-20
// / ln 2) = 2^-41, whatever k is, and q with 2^-83.
uint64_t PrimeStream::Limit() const {
  return static_cast<uint64_t>(num_found_ == 0 ? 10 : 20) *
         static_cast<uint64_t>(prime_bits_);
}

PrimeStream::State PrimeStream::Take(const uint64_t (&words)[mont::kWords],
                                     uint64_t num_candidates, bool passed) {
  // Candidates that trial division refused count, too: the standard counts
  // strings that were drawn, however they failed.
  num_candidates_ += num_candidates;
  // The standard looks at i after it refused a candidate: the last one that the
  // limit allows may still be the prime.
  if (num_candidates_ > Limit() || (num_candidates_ == Limit() && !passed)) {
    StartAgain();
    return State::kLimit;
  }
  if (!passed) {
    return State::kSearching;
  }
  // Steps 4.6 and 5.7 ask for Miller-Rabin here. It waits until there are two
  // numbers, whose rounds then share the lanes of one call. That changes no
  // key: a p that is refused later is dropped by Refuse(), and a composite
  // number passes the filter so rarely that the work is not wasted.
  std::copy_n(words, mont::kWords, found_->words[num_found_]);
  num_found_++;
  if (num_found_ == 2) {
    return State::kComplete;
  }
  num_candidates_ = 0;
  return State::kSearching;
}

void PrimeStream::Refuse(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAccepted:
      break;
    case Verdict::kRefusedP:
      // q is the first prime of the stream then: it takes the place of p, and
      // the count for the next q begins behind it.
      std::copy_n(found_->words[1], mont::kWords, found_->words[0]);
      num_found_ = 1;
      num_candidates_ = 0;
      break;
    case Verdict::kRefusedQ:
      // Back to step 5.2 without setting i to 0.
      num_found_ = 1;
      break;
    case Verdict::kRefusedBoth:
      StartAgain();
      break;
  }
}

void PrimeStream::StartAgain() {
  num_found_ = 0;
  num_candidates_ = 0;
}

}  // namespace pairmint::rsa
