#ifndef NATIVE_RSA_CANDIDATES_H_
#define NATIVE_RSA_CANDIDATES_H_

#include <cstdint>
#include <vector>

#include "core/abort_flag.h"
#include "core/secret_box.h"
#include "core/status.h"
#include "mont/mont.h"
#include "rsa/divisors.h"

namespace pairmint::rsa {

// Where candidates come from: the random number generator, or a test's stream.
class CandidateSource {
 public:
  virtual ~CandidateSource() = default;
  // Fills `out` with candidates of the same length, one after the other.
  virtual core::Status Draw(core::MutableByteSpan out) = 0;
};

// The candidates that survived trial division, in the order they were drawn.
struct Batch {
  mont::Numbers numbers;
  int len;
  // positions[i] candidates of the stream were drawn up to and with number i.
  uint64_t positions[mont::kLanes];
};

// Candidates draws candidates of one length for one thread and divides them by
// small primes. What it holds is wiped with it.
class Candidates {
 public:
  // `source` may be nullptr: core::FillRandom.
  Candidates(int bits, const mont::Kernel &kernel, CandidateSource *source);

  // Gives the next `len` survivors; kEntropy when the generator fails, kAborted
  // soon after `abort` was raised. The kernel divides in `workspace`.
  core::Status Next(int len, const core::AbortFlag &abort, uint8_t *workspace,
                    Batch *out);

 private:
  core::Status Draw();
  core::Status DivideInLanes(const core::AbortFlag &abort, uint8_t *workspace);
  core::Status DivideByRows(const core::AbortFlag &abort);
  // Copies a candidate of the last draw into the words of a number.
  void Load(size_t index, uint64_t *words) const;

  const int bits_;
  const mont::Kernel &kernel_;
  const LaneDivisors *lane_divisors_ = nullptr;
  const PortableDivisors *portable_divisors_ = nullptr;
  CandidateSource *const source_;
  core::SecretBytes drawn_;
  core::SecretBox<mont::Numbers> numbers_;
  core::SecretBytes words_;  // of the last draw, for the portable divisors
  std::vector<size_t> survivors_;  // indices into the last draw
  size_t next_survivor_ = 0;
  uint64_t drawn_before_ = 0;  // candidates of earlier draws
};

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_CANDIDATES_H_
