#ifndef NATIVE_RSA_PRIME_STREAM_H_
#define NATIVE_RSA_PRIME_STREAM_H_

#include <cstdint>

#include "core/secret_box.h"
#include "mont/mont.h"
#include "rsa/verdict.h"

namespace pairmint::rsa {

// PrimeStream takes p and q out of a stream of candidates by steps 4 and 5 of
// FIPS 186-5, A.1.3. It decides in the order of the stream and counts
// candidates; drawing and testing them is the caller's part. Not thread-safe.
class PrimeStream {
 public:
  enum class State {
    kSearching,
    // pair() holds two numbers. Nothing more is taken until Refuse().
    kComplete,
    // A limit was reached. The stream has already begun anew.
    kLimit,
  };

  explicit PrimeStream(int prime_bits) : prime_bits_(prime_bits) {}

  // Takes the next number that was tested, and whether it passed the filter.
  // `num_candidates` counts it and those before it that trial division refused.
  State Take(const uint64_t (&words)[mont::kWords], uint64_t num_candidates,
             bool passed);

  // p and q in the first two lanes; q may be the larger one.
  [[nodiscard]] const mont::Numbers &pair() const { return *found_; }

  // Gives up what the verdict refuses, and the stream goes on.
  void Refuse(Verdict verdict);
  // Begins with step 4 again.
  void StartAgain();

 private:
  [[nodiscard]] uint64_t Limit() const;

  const int prime_bits_;
  int num_found_ = 0;
  // i of the standard: candidates since step 4.1, or since step 5.1.
  uint64_t num_candidates_ = 0;
  core::SecretBox<mont::Numbers> found_;
};

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_PRIME_STREAM_H_
