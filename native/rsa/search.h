#ifndef NATIVE_RSA_SEARCH_H_
#define NATIVE_RSA_SEARCH_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "core/abort_flag.h"
#include "core/status.h"
#include "mont/mont.h"
#include "rsa/candidates.h"
#include "rsa/key.h"
#include "rsa/prime_stream.h"

namespace pairmint::rsa {

// What tests change; the defaults are production's.
struct SearchOptions {
  // Candidates come from here, in this order; only one Run() at a time.
  CandidateSource *source = nullptr;
  // One rejection in so many is repeated in OpenSSL. A key of 2,048 bits takes
  // 75 rejections and one of 4,096 bits 133, and each that is repeated costs an
  // exponentiation: with 1000, less than one for every seven keys. A kernel
  // that loses the share f of the primes rejects 2 f / (1 - f) of them for each
  // key, so that it is found out after about 500 (1 - f) / f keys.
  uint64_t audit_period = 1000;
};

// Search makes one RSA key by FIPS 186-5, A.1.3. Any number of threads may work
// on it at the same time, each in its own call of Run():
//
//   auto search = std::make_shared<Search>(4096, abort);
//   // in every thread, whenever it gets to it:
//   std::optional<Key> key;
//   Status status = search->Run(&key);
//   if (!status.ok()) ...        // kAborted, kEntropy, kInternal
//   else if (key) ...            // this thread goes on: encode, seal, answer
//   else ...                     // another thread has the key, or will have it
//
// Exactly one call gives the key, and it is not always the first one; a thread
// that comes too late returns at once. When a call fails, all do, with the same
// status. A Search has to outlive its calls, so share it.
//
// Candidates are drawn by each thread from its own random numbers and tested in
// groups. A.1.3 knows one stream of candidates: it is the concatenation of the
// groups in the order in which their results are brought in under the lock.
// That order does not depend on what comes later in the stream, candidates are
// independent, and every candidate up to the accepted one has been tested, so
// the limits of steps 4.7 and 5.8 count exactly what they would count with one
// thread. Groups still under test when q is found are thrown away, like the
// random numbers that one thread would not have drawn.
class Search {
 public:
  // `modulus_bits` is a multiple of 16 from 2048 to 8192; `abort` must outlive
  // the search and stops it within 10 ms (a single OpenSSL exponentiation on
  // 4,096-bit primes, which are not minted, takes longer).
  Search(int modulus_bits, const core::AbortFlag &abort);
  // For tests.
  Search(int modulus_bits, const core::AbortFlag &abort, SearchOptions options);
  ~Search();

  Search(const Search &) = delete;
  Search &operator=(const Search &) = delete;

  // Works on the key until there is nothing left to do for this thread.
  core::Status Run(std::optional<Key> *out);

 private:
  // What one thread has for itself.
  class Worker;
  // Two numbers that may be p and q, and what threads have made of them.
  struct Finding;
  using FindingPtr = std::shared_ptr<Finding>;

  // Each of these does a part of the work and sets *out where it had the last
  // part of a key.
  core::Status TestBatch(Worker *worker, std::optional<Key> *out);
  core::Status Verify(const mont::Kernel &kernel, const FindingPtr &finding,
                      std::optional<Key> *out);
  core::Status Build(const FindingPtr &finding, std::optional<Key> *out);

  // Takes in what a worker found out about its candidates, from *lane on, and
  // moves *lane past what was taken. A finding is for the worker to verify.
  PrimeStream::State Deposit(Worker *worker, int *lane, FindingPtr *out);
  // With the lock: gives the key of a finding that is verified and built.
  core::Status HandOver(const FindingPtr &finding, std::optional<Key> *out);
  // With the lock: the stream goes on without what the verdict refuses.
  void Refuse(const FindingPtr &finding, Verdict verdict);
  // The first status is that of all calls.
  core::Status End(const core::Status &status);

  const int modulus_bits_;
  const int prime_bits_;
  const core::AbortFlag &abort_;
  const SearchOptions options_;

  std::mutex mutex_;  // guards what follows
  PrimeStream stream_;
  // The one that is worked on; nullptr while the stream is searched.
  FindingPtr finding_;
  // Set once there is nothing left to do.
  std::optional<core::Status> ended_;
};

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_SEARCH_H_
