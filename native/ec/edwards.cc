#include "ec/edwards.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "ec/dispatch.h"

namespace pairmint::ec {
namespace {

using core::ByteSpan;
using core::MutableByteSpan;
using core::Status;

// OpenSSL has its word on the first work of the process and on one in so many
// afterwards, be it a lot or a lone key: a key takes it five times as long as
// lanes, a lot 20 times.
constexpr uint32_t kWorksOfAnAudit = 256;

using Key = std::array<uint8_t, kEd25519Len>;

// The number with the digit 1 in window `top`, and below digits of `window`
// bits in turn negative and positive, which run through all magnitudes: those
// of all `first` together look up every point of a table.
EdwardsScalar EveryDigit(int top, int window, int first) {
  EdwardsScalar out = {1};
  for (int w = top - 1; w >= 0; w--) {
    const int magnitude = 1 + (w + first) % (1 << (window - 1));
    const bool is_negative = (top - w) % 2 == 1;
    for (size_t i = out.size(); i-- > 0;) {
      out[i] = out[i] << window | (i > 0 ? out[i - 1] >> (64 - window) : 0);
    }
    auto carry = static_cast<uint64_t>(magnitude);
    for (uint64_t &word : out) {
      const uint64_t before = word;
      word = is_negative ? word - carry : word + carry;
      carry =
          static_cast<uint64_t>(is_negative ? word > before : word < before);
    }
  }
  return out;
}

// kUnchecked: this OpenSSL cannot be asked what it thinks of points.
enum class Verdict { kUnknown, kGood, kWrong, kUnchecked };

// Both tables, in both ways of multiplying, on scalars that look up all of
// their points, and on 0. kUnknown if memory ran out.
Verdict CompareWithOpenSsl(const EdwardsEngine &engine) {
  bool can_compare = false;
  if (!CanCompareByOpenSsl(&can_compare).ok()) {
    return Verdict::kUnknown;
  }
  if (!can_compare) {
    return Verdict::kUnchecked;
  }
  constexpr uint64_t kOnes = ~uint64_t{0};
  std::vector<EdwardsScalar> scalars = {
      {0}, {1}, {1 << 4}, {kOnes, kOnes, kOnes, kOnes}};
  for (int first = 0; first < 16; first++) {
    scalars.push_back(EveryDigit(51, 5, first));
  }
  for (int first = 0; first < 8; first++) {
    scalars.push_back(EveryDigit(64, 4, first));
  }
  for (size_t at = 0; at < scalars.size(); at += kMaxEdwardsLot) {
    const auto lot = std::span(scalars).subspan(
        at, std::min(kMaxEdwardsLot, scalars.size() - at));
    core::Bytes keys(lot.size() * kEd25519Len);
    MultiplyPublic(engine, LanesTable::kFiveBits, false, lot, keys);
    for (size_t i = 0; i < lot.size(); i++) {
      bool same = false;
      if (!CompareByOpenSsl(
               lot[i], ByteSpan(keys).subspan(i * kEd25519Len, kEd25519Len),
               &same)
               .ok()) {
        return Verdict::kUnknown;
      }
      if (!same) {
        return Verdict::kWrong;
      }
    }
    for (const auto &[which, is_split] :
         {std::pair(LanesTable::kFiveBits, true),
          std::pair(LanesTable::kFourBits, false),
          std::pair(LanesTable::kFourBits, true)}) {
      core::Bytes others(keys.size());
      MultiplyPublic(engine, which, is_split, lot, others);
      if (others != keys) {
        return Verdict::kWrong;
      }
    }
  }
  return Verdict::kGood;
}

// What a work needs.
struct Work {
  std::shared_ptr<const EdwardsEngine> engine;
  std::shared_ptr<const EdwardsOffset> offset;
  bool is_audit = false;
};

class Edwards {
 public:
  // Begins a work on lanes; without an engine if OpenSSL must compute.
  Status Begin(Work *out) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!IsGood()) {
      return Status::Ok();
    }
    out->is_audit = num_works_ == 0;
    if (out->is_audit || offset_ == nullptr) {
      PAIRMINT_RETURN_IF_ERROR(MakeOffset(*engine_, &offset_));
    }
    num_works_ = (num_works_ + 1) % kWorksOfAnAudit;
    out->engine = engine_;
    out->offset = offset_;
    return Status::Ok();
  }

  // The work that was to be audited was not: the next one is.
  void AuditNext() {
    const std::lock_guard<std::mutex> lock(mutex_);
    num_works_ = 0;
  }

  // Whether Begin has nothing to set up. Never waits.
  bool IsSettled() const { return is_settled_; }
  bool IsUnchecked() const { return is_unchecked_; }

#if defined(PAIRMINT_TESTING)
  void UseForTest(const EdwardsLanes *lanes, bool compared) {
    const std::lock_guard<std::mutex> lock(mutex_);
    lanes_ = lanes == nullptr ? FindEdwardsLanes() : lanes;
    engine_ = nullptr;
    offset_ = nullptr;
    Settle(Verdict::kUnknown);
    num_works_ = 0;
    if (compared && Fill()) {
      Settle(Verdict::kGood);
      num_works_ = 1;
    }
  }

  std::shared_ptr<const EdwardsEngine> EngineForTest() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return IsGood() ? engine_ : nullptr;
  }
#endif

 private:
  bool IsGood() {
    if (!IsEd25519Ours() || IsSwitchedOff() || !Fill()) {
      return false;
    }
    if (verdict_ == Verdict::kUnknown) {
      Settle(CompareWithOpenSsl(*engine_));
      if (verdict_ == Verdict::kWrong) {
        SwitchOff(kEd25519, "it disagrees with OpenSSL");
      }
    }
    return verdict_ == Verdict::kGood;
  }

  void Settle(Verdict verdict) {
    verdict_ = verdict;
    is_settled_ = verdict != Verdict::kUnknown;
    is_unchecked_ = verdict == Verdict::kUnchecked;
  }

  bool Fill() {
    if (engine_ != nullptr) {
      return true;
    }
    auto engine = std::make_shared<EdwardsEngine>();
    engine->lanes = lanes_;
    engine->plain = PlainEdwards::Make();
    if (engine->plain == nullptr) {
      return false;
    }
    engine->table = AlignedWords(lanes_->table_size);
    AlignedWords workspace(lanes_->fill_workspace_size);
    lanes_->fill(workspace.data(), engine->table.data());
    engine_ = std::move(engine);
    return true;
  }

  std::mutex mutex_;
  const EdwardsLanes *lanes_ = FindEdwardsLanes();
  std::shared_ptr<const EdwardsEngine> engine_;
  std::shared_ptr<const EdwardsOffset> offset_;
  Verdict verdict_ = Verdict::kUnknown;
  std::atomic<bool> is_settled_ = false;
  std::atomic<bool> is_unchecked_ = false;
  uint32_t num_works_ = 0;  // since the last audit
};

// Never destroyed: a worker may still mint while the process exits.
Edwards &TheEdwards() {
  static Edwards *edwards = new Edwards;
  return *edwards;
}

Status CompareKeys(ByteSpan seeds, ByteSpan keys, bool *same) {
  for (size_t at = 0; at < seeds.size(); at += kEd25519Len) {
    Key key;
    PAIRMINT_RETURN_IF_ERROR(
        PublicKeyByOpenSsl(seeds.subspan(at, kEd25519Len), key));
    if (!std::equal(key.begin(), key.end(),
                    keys.begin() + static_cast<ptrdiff_t>(at))) {
      *same = false;
    }
  }
  return Status::Ok();
}

}  // namespace

bool IsEd25519Ours() {
  return FindEdwardsLanes() != nullptr && MayUseIfma() &&
         !TheEdwards().IsUnchecked();
}

bool IsEd25519Settled() {
  return !IsEd25519Ours() || IsSwitchedOff() || TheEdwards().IsSettled();
}

const char *KernelOfEd25519() {
  return IsEd25519Ours() ? "avx512ifma" : "openssl";
}

Status PublicKeysByLanes(ByteSpan seeds, MutableByteSpan out, bool *verified) {
  *verified = false;
  Work work;
  PAIRMINT_RETURN_IF_ERROR(TheEdwards().Begin(&work));
  if (work.engine == nullptr) {
    return Status::Ok();
  }
  std::vector<EdwardsAffine> affines(seeds.size() / kEd25519Len);
  PAIRMINT_RETURN_IF_ERROR(ComputeKeys(*work.engine, seeds, out, &affines));
  PAIRMINT_RETURN_IF_ERROR(
      CheckKeys(*work.engine, *work.offset, seeds, out, affines, verified));
  if (!*verified) {
    SwitchOff(kEd25519, "a check refused a public key");
    return Status::Ok();
  }
  if (work.is_audit) {
    Status status = CompareKeys(seeds, out, verified);
    if (!status.ok()) {
      TheEdwards().AuditNext();
      return status;
    }
    if (!*verified) {
      SwitchOff(kEd25519, "OpenSSL refused a public key");
    }
  }
  return Status::Ok();
}

#if defined(PAIRMINT_TESTING)
void UseEdwardsLanesForTest(const EdwardsLanes *lanes, bool compared) {
  SwitchOnForTest();
  TheEdwards().UseForTest(lanes, compared);
}

std::shared_ptr<const EdwardsEngine> EdwardsEngineForTest() {
  return TheEdwards().EngineForTest();
}
#endif

}  // namespace pairmint::ec
