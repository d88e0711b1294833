#include "rsa/search.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "core/words.h"
#include "mont/dispatch.h"
#include "rsa/assemble.h"
#include "rsa/primality.h"

namespace pairmint::rsa {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::OutOfMemory;
using core::Status;
using core::StatusCode;
using mont::Kernel;
using mont::Verdicts;

constexpr int kMinModulusBits = 2048;
constexpr int kMaxModulusBits = 2 * mont::kMaxBits;

// Rejections of all searches in this process, for the audit.
std::atomic<uint64_t> num_rejections{0};

// Repeats a part of the filter's rejections in OpenSSL: a kernel that loses
// primes now and then would make nothing wrong, but the primes that remain
// would not be uniformly distributed.
Status Audit(const Kernel &kernel, int bits, uint64_t period,
             const Batch &batch, const Verdicts &verdicts) {
  if (&kernel == mont::OpenSslKernel()) {
    return Status::Ok();
  }
  for (int lane = 0; lane < batch.len; lane++) {
    if (verdicts.lanes[lane] != 0 || ++num_rejections % period != 0) {
      continue;
    }
    bool passes = false;
    PAIRMINT_RETURN_IF_ERROR(
        FermatBase2(bits, batch.numbers.words[lane], &passes));
    mont::CountAudit();
    if (passes) {
      mont::SwitchOff(kernel, "it rejected a number that passes in OpenSSL");
    }
  }
  return Status::Ok();
}

// c2sp.org/det-keygen: gcd(p - 1, q - 1) must be at most 2^32.
bool SmallCommonFactor(const BIGNUM *p, const BIGNUM *q) {
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr p_minus_1(BN_dup(p));
  const BignumPtr q_minus_1(BN_dup(q));
  const BignumPtr gcd(BN_new());
  return ctx != nullptr && p_minus_1 != nullptr && q_minus_1 != nullptr &&
         gcd != nullptr && BN_sub_word(p_minus_1.get(), 1) == 1 &&
         BN_sub_word(q_minus_1.get(), 1) == 1 &&
         BN_gcd(gcd.get(), p_minus_1.get(), q_minus_1.get(), ctx.get()) == 1 &&
         BN_num_bits(gcd.get()) <= 32;
}

}  // namespace

// What one thread has for itself.
class Search::Worker {
 public:
  explicit Worker(const Search &search) : search_(search) {}

  // Tests the next group of candidates with the kernel of the moment.
  Status TestBatch() {
    const Kernel &kernel = mont::KernelFor(search_.prime_bits_);
    if (&kernel != kernel_) {
      kernel_ = &kernel;
      workspace_ = core::SecretBytes(kernel.workspace_len);
      candidates_.emplace(search_.prime_bits_, kernel,
                          search_.options_.det_keygen_rules
                              ? ExponentRule::kLeaveToPair
                              : ExponentRule::kRefuseCandidate,
                          search_.options_.source);
      counted = 0;
    }
    PAIRMINT_RETURN_IF_ERROR(
        candidates_->Next(kernel.batch_len, search_.abort_, batch_.get()));
    if (!kernel.fermat_base2(search_.prime_bits_, batch_->len, batch_->numbers,
                             workspace_.data(), &verdicts)) {
      return OutOfMemory(kKeyGeneration);
    }
    return Audit(kernel, search_.prime_bits_, search_.options_.audit_period,
                 *batch_, verdicts);
  }

  [[nodiscard]] const Kernel &kernel() const { return *kernel_; }
  [[nodiscard]] const Batch &batch() const { return *batch_; }

  Verdicts verdicts;
  // How many candidates of this thread's stream have been counted.
  uint64_t counted = 0;

 private:
  const Search &search_;
  const Kernel *kernel_ = nullptr;
  core::SecretBytes workspace_;
  std::optional<Candidates> candidates_;
  core::SecretBox<Batch> batch_;
};

Search::Search(int modulus_bits, const core::AbortFlag &abort)
    : Search(modulus_bits, abort, SearchOptions()) {}

Search::Search(int modulus_bits, const core::AbortFlag &abort,
               SearchOptions options)
    : modulus_bits_(modulus_bits),
      prime_bits_(modulus_bits / 2),
      abort_(abort),
      options_(options) {}

Status Search::Run(std::optional<Key> *out) {
  if (modulus_bits_ < kMinModulusBits || modulus_bits_ > kMaxModulusBits ||
      modulus_bits_ % 16 != 0) {
    return Status(StatusCode::kInvalidArgument,
                  "the length of an RSA modulus must be 2048, 3072 or 4096");
  }
  Worker worker(*this);
  while (true) {
    bool finishing = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      finishing = phase_ == Phase::kFinishing;
      if (phase_ == Phase::kDone ||
          (finishing && building_ != Building::kNotBegun)) {
        return status_;
      }
    }
    if (finishing) {
      Status built = Build(out);
      if (!built.ok() || out->has_value()) {
        return built;
      }
      continue;
    }
    if (abort_.raised()) {
      return Fail(Status(StatusCode::kAborted));
    }
    const Status tested = worker.TestBatch();
    if (!tested.ok()) {
      return Fail(tested);
    }
    if (mont::SwitchedOff(worker.kernel())) {
      // What it has found so far is not to be trusted either.
      const std::lock_guard<std::mutex> lock(mutex_);
      if (phase_ == Phase::kSearching) {
        StartAgainLocked();
      }
      continue;
    }
    for (int lane = 0; lane < worker.batch().len;) {
      const Outcome outcome =
          Deposit(worker.batch(), worker.verdicts, &lane, &worker.counted);
      if (outcome == Outcome::kRestarted) {
        // Chance brings this about once in 2^41 keys, a kernel that rejects
        // everything every time.
        mont::Recheck(worker.kernel(), prime_bits_);
      }
      if (outcome != Outcome::kFinish) {
        continue;
      }
      const Status finished = Finish(worker.kernel(), out);
      if (!finished.ok()) {
        return Fail(finished);
      }
      if (out->has_value()) {
        return Status::Ok();
      }
    }
  }
}

Search::Outcome Search::Deposit(const Batch &batch, const Verdicts &verdicts,
                                int *lane, uint64_t *counted) {
  const std::lock_guard<std::mutex> lock(mutex_);
  while (*lane < batch.len) {
    const int i = (*lane)++;
    if (phase_ != Phase::kSearching) {
      *lane = batch.len;
      break;
    }
    num_candidates_ += batch.positions[i] - *counted;
    *counted = batch.positions[i];
    // A.1.3, steps 4.7 and 5.8: the limit is reached when so many candidates
    // have been refused.
    const uint64_t limit = static_cast<uint64_t>(num_found_ == 0 ? 10 : 20) *
                           static_cast<uint64_t>(prime_bits_);
    const bool passed = verdicts.lanes[i] != 0;
    if (num_candidates_ > limit || (num_candidates_ == limit && !passed)) {
      StartAgainLocked();
      return Outcome::kRestarted;
    }
    if (!passed) {
      continue;
    }
    // Steps 4.6 and 5.7 are completed by Verify, for both primes together,
    // because half of the lanes would be empty for one.
    std::copy_n(batch.numbers.words[i], mont::kWords,
                found_->words[num_found_]);
    num_found_++;
    if (num_found_ == 2) {
      phase_ = Phase::kFinishing;
      finding_++;
      verified_ = false;
      building_ = Building::kNotBegun;
      return Outcome::kFinish;
    }
    num_candidates_ = 0;
  }
  return Outcome::kGoOn;
}

Status Search::Finish(const Kernel &kernel, std::optional<Key> *out) {
  bool accepted = false;
  PAIRMINT_RETURN_IF_ERROR(Verify(kernel, &accepted));
  if (!accepted) {
    return Status::Ok();
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    verified_ = true;
    if (building_ != Building::kNotBegun) {
      return Conclude(out);
    }
  }
  return Build(out);
}

Status Search::Build(std::optional<Key> *out) {
  BignumPtr p, q;
  uint64_t finding = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (phase_ != Phase::kFinishing || building_ != Building::kNotBegun) {
      return Status::Ok();
    }
    building_ = Building::kUnderWay;
    finding = finding_;
    p = core::ToBignum(found_->words[0]);
    q = core::ToBignum(found_->words[1]);
  }
  Draft draft;
  draft.status = Assemble(p.get(), q.get(), &draft.verdict, &draft.key);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (phase_ != Phase::kFinishing || finding != finding_) {
    return Status::Ok();
  }
  building_ = Building::kEnded;
  draft_ = std::move(draft);
  return Conclude(out);
}

Status Search::Conclude(std::optional<Key> *out) {
  if (phase_ != Phase::kFinishing || !verified_ ||
      building_ != Building::kEnded) {
    return Status::Ok();
  }
  if (!draft_.status.ok()) {
    return FailLocked(draft_.status);
  }
  switch (draft_.verdict) {
    case PairVerdict::kAccepted:
      phase_ = Phase::kDone;
      *out = std::move(draft_.key);
      break;
    case PairVerdict::kRefusedQ:
      DropLocked(1);
      break;
    case PairVerdict::kRefusedBoth:
      StartAgainLocked();
      break;
  }
  return Status::Ok();
}

// Steps 4.6 and 5.7: B.3.1 with the rounds of Table B.1. As many as fit into
// one call of a kernel of ours are done there. OpenSSL does the rest, and one
// more, so that no verdict rests on our own arithmetic alone.
Status Search::Verify(const Kernel &kernel, bool *accepted) {
  const int rounds = MillerRabinRounds(prime_bits_);
  if (&kernel == mont::OpenSslKernel()) {
    return VerifyInOpenSsl(kernel, rounds, accepted);
  }
  const int rounds_in_lanes = std::min(rounds, kernel.batch_len / 2);
  PAIRMINT_RETURN_IF_ERROR(VerifyInLanes(kernel, rounds_in_lanes, accepted));
  if (!*accepted) {
    return Status::Ok();
  }
  return VerifyInOpenSsl(kernel, rounds - rounds_in_lanes + 1, accepted);
}

Status Search::VerifyInLanes(const Kernel &kernel, int rounds, bool *accepted) {
  bool maybe_prime[2];
  PAIRMINT_RETURN_IF_ERROR(MillerRabinInLanes(kernel, prime_bits_, *found_, 2,
                                              rounds, abort_, maybe_prime));
  *accepted = maybe_prime[0] && maybe_prime[1];
  return *accepted ? Status::Ok()
                   : SettleDispute(kernel, maybe_prime[0] ? 1 : 0);
}

Status Search::VerifyInOpenSsl(const Kernel &kernel, int rounds,
                               bool *accepted) {
  PAIRMINT_RETURN_IF_ERROR(
      MillerRabinPair(prime_bits_, *found_, rounds, abort_, accepted));
  if (!*accepted) {
    mont::SwitchOff(kernel, "it accepted a number that fails in OpenSSL");
    StartAgain();
  }
  return abort_.raised() ? Status(StatusCode::kAborted) : Status::Ok();
}

// The filter let a number pass that Miller–Rabin refused. A base-2 pseudoprime
// is possible, but nobody has ever drawn one: OpenSSL tells who was wrong.
Status Search::SettleDispute(const Kernel &kernel, int which) {
  const BignumPtr number = core::ToBignum(found_->words[which]);
  bool passes_filter = false;
  bool maybe_prime = false;
  if (number == nullptr) {
    return OutOfMemory(kKeyGeneration);
  }
  PAIRMINT_RETURN_IF_ERROR(
      FermatBase2(prime_bits_, found_->words[which], &passes_filter));
  PAIRMINT_RETURN_IF_ERROR(MillerRabin(
      number.get(), MillerRabinRounds(prime_bits_), abort_, &maybe_prime));
  if (passes_filter && !maybe_prime) {
    Drop(which);
    return Status::Ok();
  }
  mont::SwitchOff(kernel, maybe_prime
                              ? "it refused a number that is prime in OpenSSL"
                              : "it let a number pass that fails in OpenSSL");
  StartAgain();
  return Status::Ok();
}

Status Search::Assemble(const BIGNUM *p, const BIGNUM *q, PairVerdict *verdict,
                        Key *out) const {
  const BignumPtr e(BN_new());
  if (p == nullptr || q == nullptr || e == nullptr ||
      BN_set_word(e.get(), kPublicExponent) != 1) {
    return OutOfMemory(kKeyGeneration);
  }
  if (options_.det_keygen_rules &&
      (!CoprimeToExponent(p, e.get()) || !CoprimeToExponent(q, e.get()) ||
       !SmallCommonFactor(p, q))) {
    *verdict = PairVerdict::kRefusedBoth;
    return Status::Ok();
  }
  PAIRMINT_RETURN_IF_ERROR(AssembleKey(p, q, modulus_bits_, verdict, out));
  if (*verdict != PairVerdict::kAccepted) {
    return Status::Ok();
  }
  return abort_.raised() ? Status(StatusCode::kAborted) : PairwiseTest(*out);
}

void Search::Drop(int which) {
  const std::lock_guard<std::mutex> lock(mutex_);
  DropLocked(which);
}

void Search::DropLocked(int which) {
  if (which == 0) {
    std::copy_n(found_->words[1], mont::kWords, found_->words[0]);
    // q takes p's place, and the count for the next q begins after it.
    num_candidates_ = 0;
  }
  num_found_ = 1;
  phase_ = Phase::kSearching;
}

void Search::StartAgain() {
  const std::lock_guard<std::mutex> lock(mutex_);
  StartAgainLocked();
}

void Search::StartAgainLocked() {
  if (phase_ != Phase::kDone) {
    num_found_ = 0;
    num_candidates_ = 0;
    phase_ = Phase::kSearching;
  }
}

Status Search::Fail(const Status &status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return FailLocked(status);
}

Status Search::FailLocked(const Status &status) {
  if (phase_ != Phase::kDone) {
    phase_ = Phase::kDone;
    status_ = status;
  }
  return status_;
}

Search::~Search() = default;

}  // namespace pairmint::rsa
