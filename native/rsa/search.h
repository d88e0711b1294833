#ifndef NATIVE_RSA_SEARCH_H_
#define NATIVE_RSA_SEARCH_H_

#include <cstdint>
#include <mutex>
#include <optional>

#include "core/abort_flag.h"
#include "core/secret_box.h"
#include "core/status.h"
#include "mont/mont.h"
#include "rsa/assemble.h"
#include "rsa/candidates.h"
#include "rsa/key.h"

namespace pairmint::rsa {

// What tests change; the defaults are production's.
struct SearchOptions {
  // Candidates come from here, in this order; only one Run() at a time.
  CandidateSource *source = nullptr;
  // The acceptance rules of c2sp.org/det-keygen for e and gcd(p - 1, q - 1)
  // instead of A.1.3's.
  bool det_keygen_rules = false;
  // One rejection in so many is repeated in OpenSSL.
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
  class Worker;
  enum class Phase { kSearching, kFinishing, kDone };

  enum class Outcome { kGoOn, kFinish, kRestarted };

  // Takes in what a worker found out about its candidates, from *lane on, and
  // moves *lane past what was taken. kFinish: there are two primes, and this
  // worker has to see to them; kRestarted: a candidate limit was exceeded.
  Outcome Deposit(const Batch &batch, const mont::Verdicts &verdicts, int *lane,
                  uint64_t *counted);
  // What Build made of found_.
  struct Draft {
    core::Status status;
    PairVerdict verdict = PairVerdict::kRefusedBoth;
    Key key;
  };
  enum class Building { kNotBegun, kUnderWay, kEnded };

  // The work on found_, of which one thread verifies the primes, while another
  // one builds and tests the key, or the same one afterwards. *out stays empty
  // when the search must go on, and when the other thread has more to do.
  core::Status Finish(const mont::Kernel &kernel, std::optional<Key> *out);
  core::Status Build(std::optional<Key> *out);
  // With the lock: gives the key, if the primes are verified and it is built.
  core::Status Conclude(std::optional<Key> *out);
  core::Status Verify(const mont::Kernel &kernel, bool *accepted);
  core::Status VerifyInLanes(const mont::Kernel &kernel, int rounds,
                             bool *accepted);
  core::Status VerifyInOpenSsl(const mont::Kernel &kernel, int rounds,
                               bool *accepted);
  core::Status SettleDispute(const mont::Kernel &kernel, int which);
  core::Status Assemble(const BIGNUM *p, const BIGNUM *q, PairVerdict *verdict,
                        Key *out) const;
  // Gives up the prime `which`, or the whole key, and the search goes on.
  void Drop(int which);
  void DropLocked(int which);
  void StartAgain();
  void StartAgainLocked();
  core::Status Fail(const core::Status &status);
  core::Status FailLocked(const core::Status &status);

  const int modulus_bits_;
  const int prime_bits_;
  const core::AbortFlag &abort_;
  const SearchOptions options_;

  std::mutex mutex_;  // guards what follows
  Phase phase_ = Phase::kSearching;
  core::Status status_;
  int num_found_ = 0;
  // Candidates since the key was begun (p) or since p was found (q).
  uint64_t num_candidates_ = 0;
  // The first num_found_ lanes: what passed the filter. Who verifies it reads
  // it without the lock, because nobody writes to it then.
  core::SecretBox<mont::Numbers> found_;
  // Counts the times that two primes were found: what is built of primes that
  // were refused in the meantime is thrown away.
  uint64_t finding_ = 0;
  bool verified_ = false;
  Building building_ = Building::kNotBegun;
  Draft draft_;
};

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_SEARCH_H_
