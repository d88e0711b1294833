#include "rsa/search.h"

#include <algorithm>
#include <atomic>

#include "core/secret_box.h"
#include "core/words.h"
#include "mont/dispatch.h"
#include "rsa/assemble.h"
#include "rsa/primality.h"

namespace pairmint::rsa {
namespace {

using core::AbortFlag;
using core::BignumPtr;
using core::OutOfMemory;
using core::Status;
using core::StatusCode;
using mont::Kernel;
using mont::Verdicts;

constexpr int kMinModulusBits = 2048;
constexpr int kMaxModulusBits = 2 * mont::kMaxBits;

// Rejections of all searches in this process, for the audit. One count for each
// search would never reach the period: a key takes some 130 rejections.
std::atomic<uint64_t> num_rejections{0};

// Repeats a part of the filter's rejections in OpenSSL: a kernel that loses
// primes now and then would make nothing wrong, but the primes that remain
// would not be uniformly distributed.
Status Audit(const Kernel &kernel, int bits, uint64_t period,
             const Batch &batch, const Verdicts &verdicts) {
  // OpenSSL cannot judge itself.
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

// A key that is made while its primes are still verified: what is said of it
// counts only when they are.
struct Draft {
  Status status;
  Verdict verdict = Verdict::kRefusedBoth;
  Key key;
};

Status MakeKey(const mont::Numbers &pair, int modulus_bits,
               const AbortFlag &abort, Verdict *verdict, Key *out) {
  const BignumPtr p = core::ToBignum(pair.words[0]);
  const BignumPtr q = core::ToBignum(pair.words[1]);
  if (p == nullptr || q == nullptr) {
    return OutOfMemory(kKeyGeneration);
  }
  PAIRMINT_RETURN_IF_ERROR(
      AssembleKey(p.get(), q.get(), modulus_bits, verdict, out));
  if (*verdict != Verdict::kAccepted) {
    return Status::Ok();
  }
  return abort.raised() ? Status(StatusCode::kAborted) : CheckNumbers(*out);
}

}  // namespace

class Search::Worker {
 public:
  explicit Worker(const Search &search) : search_(search) {}

  // Tests the next group of candidates with the kernel of the moment.
  Status Test() {
    const Kernel &kernel = mont::KernelFor(search_.prime_bits_);
    // Another kernel takes over when one is switched off, and what is left of
    // its draw goes with it: survivors were chosen by its division.
    if (&kernel != kernel_) {
      kernel_ = &kernel;
      workspace_ = core::SecretBytes(kernel.workspace_len);
      candidates_.emplace(search_.prime_bits_, kernel, search_.options_.source);
      num_deposited_ = 0;
    }
    PAIRMINT_RETURN_IF_ERROR(candidates_->Next(
        kernel.batch_len, search_.abort_, workspace_.data(), batch_.get()));
    if (!kernel.fermat_base2(search_.prime_bits_, batch_->len, batch_->numbers,
                             workspace_.data(), &verdicts_)) {
      return OutOfMemory(kKeyGeneration);
    }
    return Audit(kernel, search_.prime_bits_, search_.options_.audit_period,
                 *batch_, verdicts_);
  }

  // Gives a number of the group to the stream. A candidate counts when its
  // result is brought in, and those that division refused before it with it:
  // candidates behind the last survivor of a thread are never counted, like
  // strings that were not drawn.
  PrimeStream::State Deposit(int lane, PrimeStream *stream) {
    const uint64_t position = batch_->positions[lane];
    const uint64_t count = position - num_deposited_;
    num_deposited_ = position;
    return stream->Take(batch_->numbers.words[lane], count,
                        verdicts_.lanes[lane] != 0);
  }

  [[nodiscard]] const Kernel &kernel() const { return *kernel_; }
  [[nodiscard]] int num_lanes() const { return batch_->len; }

 private:
  const Search &search_;
  const Kernel *kernel_ = nullptr;
  core::SecretBytes workspace_;
  std::optional<Candidates> candidates_;
  core::SecretBox<Batch> batch_;
  Verdicts verdicts_;
  // How many candidates of this thread the stream has counted.
  uint64_t num_deposited_ = 0;
};

struct Search::Finding {
  explicit Finding(const mont::Numbers &found) { *pair = found; }

  // Written before other threads see it, and never again.
  core::SecretBox<mont::Numbers> pair;

  // The lock of the search guards the rest.
  bool is_verified = false;
  bool is_claimed = false;     // a thread builds the key
  std::optional<Draft> draft;  // what it built
};

Search::Search(int modulus_bits, const AbortFlag &abort)
    : Search(modulus_bits, abort, SearchOptions()) {}

Search::Search(int modulus_bits, const AbortFlag &abort, SearchOptions options)
    : modulus_bits_(modulus_bits),
      prime_bits_(modulus_bits / 2),
      abort_(abort),
      options_(options),
      stream_(modulus_bits / 2) {}

Search::~Search() = default;

Status Search::Run(std::optional<Key> *out) {
  if (modulus_bits_ < kMinModulusBits || modulus_bits_ > kMaxModulusBits ||
      modulus_bits_ % 16 != 0) {
    return Status(StatusCode::kInvalidArgument,
                  "the length of an RSA modulus must be 2048, 3072 or 4096");
  }
  Worker worker(*this);
  while (!out->has_value()) {
    FindingPtr unclaimed;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (ended_) {
        return *ended_;
      }
      // The thread that completed the pair verifies it, and the next one that
      // comes builds the key meanwhile: both take about as long. Building waits
      // for nothing, as Miller-Rabin refuses less than one pair in 2^100 that
      // the base-2 test let pass (see SettleDispute).
      if (finding_ != nullptr && finding_->is_claimed) {
        // One thread verifies it and one builds: there is no third part.
        return Status::Ok();
      }
      if (finding_ != nullptr) {
        finding_->is_claimed = true;
        unclaimed = finding_;
      }
    }
    const Status status =
        unclaimed != nullptr ? Build(unclaimed, out) : TestBatch(&worker, out);
    if (!status.ok()) {
      return End(status);
    }
  }
  return Status::Ok();
}

Status Search::TestBatch(Worker *worker, std::optional<Key> *out) {
  // Once for each group is often enough: the slowest, four lanes of 2,048 bits
  // with AVX2, takes about 4 ms.
  if (abort_.raised()) {
    return Status(StatusCode::kAborted);
  }
  PAIRMINT_RETURN_IF_ERROR(worker->Test());
  if (mont::SwitchedOff(worker->kernel())) {
    // What it has found so far is not to be trusted either: a kernel that loses
    // primes leaves those that remain unevenly distributed. Beginning with step
    // 4 again is what A.1.3 does at its limits and prefers no prime. A finding
    // is left to the thread that verifies it, in OpenSSL.
    const std::lock_guard<std::mutex> lock(mutex_);
    if (finding_ == nullptr) {
      stream_.StartAgain();
    }
    return Status::Ok();
  }
  for (int lane = 0; lane < worker->num_lanes() && !out->has_value();) {
    FindingPtr finding;
    if (Deposit(worker, &lane, &finding) == PrimeStream::State::kLimit) {
      // Chance brings this about once in 2^41 keys, a kernel that rejects
      // everything every time.
      mont::Recheck(worker->kernel(), prime_bits_);
    }
    if (finding != nullptr) {
      PAIRMINT_RETURN_IF_ERROR(Verify(worker->kernel(), finding, out));
    }
  }
  return Status::Ok();
}

PrimeStream::State Search::Deposit(Worker *worker, int *lane, FindingPtr *out) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // Lanes behind p are candidates for q: they were drawn independently of it,
  // and that they are tested already changes nothing. Lanes behind q are left.
  while (*lane < worker->num_lanes()) {
    if (finding_ != nullptr || ended_) {
      *lane = worker->num_lanes();
      break;
    }
    const PrimeStream::State state = worker->Deposit((*lane)++, &stream_);
    if (state == PrimeStream::State::kComplete) {
      finding_ = std::make_shared<Finding>(stream_.pair());
      *out = finding_;
    }
    if (state != PrimeStream::State::kSearching) {
      return state;
    }
  }
  return PrimeStream::State::kSearching;
}

Status Search::Verify(const Kernel &kernel, const FindingPtr &finding,
                      std::optional<Key> *out) {
  Verdict verdict = Verdict::kRefusedBoth;
  PAIRMINT_RETURN_IF_ERROR(
      VerifyPrimes(kernel, prime_bits_, *finding->pair, abort_, &verdict));
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (verdict != Verdict::kAccepted) {
      Refuse(finding, verdict);
      return Status::Ok();
    }
    finding->is_verified = true;
    if (finding->is_claimed) {
      return HandOver(finding, out);
    }
    finding->is_claimed = true;
  }
  return Build(finding, out);
}

Status Search::Build(const FindingPtr &finding, std::optional<Key> *out) {
  Draft draft;
  draft.status = MakeKey(*finding->pair, modulus_bits_, abort_, &draft.verdict,
                         &draft.key);
  const std::lock_guard<std::mutex> lock(mutex_);
  finding->draft = std::move(draft);
  return HandOver(finding, out);
}

Status Search::HandOver(const FindingPtr &finding, std::optional<Key> *out) {
  // The second of the two calls finds both parts there. `finding_` has
  // moved on if this pair was refused.
  if (finding != finding_ || ended_ || !finding->is_verified ||
      !finding->draft) {
    return Status::Ok();
  }
  Draft &draft = *finding->draft;
  PAIRMINT_RETURN_IF_ERROR(draft.status);
  if (draft.verdict != Verdict::kAccepted) {
    Refuse(finding, draft.verdict);
    return Status::Ok();
  }
  ended_ = Status::Ok();
  *out = std::move(draft.key);
  return Status::Ok();
}

void Search::Refuse(const FindingPtr &finding, Verdict verdict) {
  // What a slower thread still builds of it is thrown away.
  if (finding == finding_) {
    finding_ = nullptr;
    stream_.Refuse(verdict);
  }
}

Status Search::End(const Status &status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!ended_) {
    ended_ = status;
  }
  return *ended_;
}

}  // namespace pairmint::rsa
