#include "ec/dispatch.h"

#include <openssl/obj_mac.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/words.h"
#include "ec/openssl_code.h"
#include "ec/verify.h"
#include "mont/dispatch.h"

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::MutableByteSpan;
using core::ToWords;

// Reads the curve from OpenSSL. If a is not 0, it is taken to be -3, as in all
// our curves; the comparison with OpenSSL would find any other value.
bool Describe(const Curve &curve, CombCurve *out, bool *a_is_zero) {
  const EC_GROUP *group = GroupOf(curve);
  const BnCtxPtr ctx(BN_CTX_new());
  const BignumPtr p(BN_new()), a(BN_new()), b(BN_new()), x(BN_new()),
      y(BN_new());
  if (group == nullptr || ctx == nullptr || p == nullptr || a == nullptr ||
      b == nullptr || x == nullptr || y == nullptr ||
      EC_GROUP_get_curve(group, p.get(), a.get(), b.get(), ctx.get()) != 1 ||
      EC_POINT_get_affine_coordinates(group, EC_GROUP_get0_generator(group),
                                      x.get(), y.get(), ctx.get()) != 1) {
    return false;
  }
  const size_t len = NumLimbs(curve);
  *a_is_zero = BN_is_zero(a.get()) == 1;
  return ToWords(p.get(), {out->p, len}) && ToWords(b.get(), {out->b, len}) &&
         ToWords(x.get(), {out->x, len}) && ToWords(y.get(), {out->y, len});
}

// A number whose digits of kWindow bits run through all magnitudes: the digit
// of window w is 1 + (w + first) mod 2^(kWindow - 1), in turn positive and
// negative, from window `top` down. The numbers of all `first` together look up
// every point of a table that a number of such length can need.
BignumPtr EveryDigit(int top, int window, int first) {
  BignumPtr out(BN_new());
  const BignumPtr digit(BN_new());
  bool ok =
      out != nullptr && digit != nullptr && BN_set_word(out.get(), 0) == 1;
  for (int w = top; w >= 0 && ok; w--) {
    const int magnitude = 1 + (w + first) % (1 << (window - 1));
    ok = BN_lshift(out.get(), out.get(), window) == 1 &&
         BN_set_word(digit.get(), static_cast<BN_ULONG>(magnitude)) == 1 &&
         ((top - w) % 2 == 0 ? BN_add(out.get(), out.get(), digit.get())
                             : BN_sub(out.get(), out.get(), digit.get())) == 1;
  }
  return ok ? std::move(out) : nullptr;
}

// The same, from the highest window that a number below n has.
BignumPtr EveryDigitBelow(const BIGNUM *n, int window, int first) {
  const int top = (BN_num_bits(n) - 1) / window;
  BignumPtr out = EveryDigit(top, window, first);
  return out != nullptr && BN_cmp(out.get(), n) >= 0
             ? EveryDigit(top - 1, window, first)
             : std::move(out);
}

constexpr size_t kNumKnownKeys = 16;
using KnownKeyArray = std::array<BignumPtr, kNumKnownKeys>;

// Scalars, all of them public: the numbers of every digit of five bits, or 1,
// 2, n - 1, random ones, and the numbers of every digit of four bits.
//
// 1 and 2 have the digit 0 nearly everywhere; n - 1 gives the opposite of the
// generator and the carries of an order with long runs of ones, and reaches the
// highest windows.
bool KnownKeys(const Curve &curve, bool five_bits, KnownKeyArray *out) {
  const BIGNUM *n = EC_GROUP_get0_order(GroupOf(curve));
  for (size_t i = 0; i < out->size(); i++) {
    BignumPtr &key = (*out)[i];
    const int first = static_cast<int>(i);
    if (five_bits) {
      key = EveryDigitBelow(n, 5, first);
    } else if (i >= 8) {
      key = EveryDigitBelow(n, 4, first);
    } else if (i >= 3) {
      if (!DrawPrivateKey(curve, &key).ok()) {
        return false;
      }
    } else {
      key.reset(BN_dup(n));
      if (key == nullptr || (i < 2 ? BN_set_word(key.get(), i + 1)
                                   : BN_sub_word(key.get(), 1)) != 1) {
        return false;
      }
    }
    if (key == nullptr) {
      return false;
    }
  }
  return true;
}

enum class Verdict { kUnknown, kGood, kWrong, kNone };

// The keys' points, one by one and all together: lanes compute these by
// different tables, a comb does not.
bool Compute(const Curve &curve, const Multiplier &multiplier,
             std::span<const BignumPtr> keys, MutableByteSpan alone,
             MutableByteSpan together) {
  const size_t len = PointLen(curve);
  if (!MultiplyUnchecked(curve, multiplier, keys, together).ok()) {
    return false;
  }
  if (multiplier.lanes == nullptr) {
    std::copy(together.begin(), together.end(), alone.begin());
    return true;
  }
  for (size_t i = 0; i < keys.size(); i++) {
    if (!MultiplyUnchecked(curve, multiplier, keys.subspan(i, 1),
                           alone.subspan(i * len, len))
             .ok()) {
      return false;
    }
  }
  return true;
}

// kUnknown if OpenSSL failed, for which a lack of memory is one reason: the
// comparison is repeated the next time. OpenSSL has its word on every point of
// the tables.
Verdict CompareWithOpenSsl(const Curve &curve, const Multiplier &multiplier) {
  const size_t point_len = PointLen(curve);
  for (const bool five_bits : {false, true}) {
    if (five_bits && multiplier.lanes == nullptr) {
      break;  // OpenSSL checks every point of the comb, and the comb is slow
    }
    KnownKeyArray keys;
    core::Bytes alone(keys.size() * point_len);
    core::Bytes together(keys.size() * point_len);
    bool verified = false;
    if (!KnownKeys(curve, five_bits, &keys) ||
        !Compute(curve, multiplier, keys, alone, together) ||
        !VerifyPoints(curve, keys, together, &verified).ok()) {
      return Verdict::kUnknown;
    }
    // Points that VerifyPoints finds right are OpenSSL's; of others, which it
    // also refuses when memory runs out, only OpenSSL's ladder knows.
    core::Bytes expected = together;
    for (size_t i = 0; !verified && i < keys.size(); i++) {
      const MutableByteSpan point(expected.data() + i * point_len, point_len);
      if (!PublicPoint(curve, keys[i].get(), point).ok()) {
        return Verdict::kUnknown;
      }
    }
    if (alone != expected || together != expected) {
      return Verdict::kWrong;
    }
    if (!verified) {
      return Verdict::kUnknown;
    }
  }
  return Verdict::kGood;
}

// Whether PAIRMINT_KERNEL is not set or is `name`.
bool IsAllowed(const char *name) {
  const char *kernel = std::getenv("PAIRMINT_KERNEL");
  return kernel == nullptr || *kernel == 0 || strcmp(kernel, name) == 0;
}

bool IsLeftToOpenSsl() {
  const char *kernel = std::getenv("PAIRMINT_KERNEL");
  return kernel != nullptr && strcmp(kernel, "openssl") == 0;
}

// What can run on this processor is known where the other kernel of the same
// instruction set is.
bool HasAvx512Ifma() {
  static const bool kHas = [] {
    for (const mont::Report::Row &row : mont::GetReport().kernels) {
      if (row.name == "avx512ifma") {
        return row.capable;
      }
    }
    return false;
  }();
  return kHas;
}

enum class Code { kLanes, kComb, kOpenSsl };

// What there is for a curve whose equation is known.
struct Candidate {
  const Curve &curve;
  size_t num_limbs;
  bool a_is_zero;
};

// OpenSSL's code for P-256, which every build has, makes a pair in 12 to 15 us;
// lanes and their check take 14 to 22, so that they need to be asked for.
bool AreLanesWorthIt(const Curve &curve) {
  const char *kernel = std::getenv("PAIRMINT_KERNEL");
  return curve.nid != NID_X9_62_prime256v1 ||
         (kernel != nullptr && strcmp(kernel, "avx512ifma") == 0);
}

bool CanUseLanes(const Candidate &candidate) {
  return AreLanesWorthIt(candidate.curve) &&
         FindLanes(candidate.num_limbs, candidate.a_is_zero) != nullptr &&
         MayUseIfma();
}

bool CanUseComb(const Candidate &candidate) {
  return FindComb(candidate.num_limbs, candidate.a_is_zero) != nullptr &&
         !OpenSslHasOwnCode(candidate.curve) && !IsLeftToOpenSsl();
}

bool Always(const Candidate &) { return true; }

struct Choice {
  Code code;
  const char *name;
  bool (*is_possible)(const Candidate &candidate);
};

// Best first. On every processor with IFMA so far, lanes with their check take
// less time than OpenSSL's code for a curve but P-256, from one key on; the
// comb with OpenSSL's check takes less than OpenSSL's code for any prime, but
// more than its code for one curve.
constexpr std::array<Choice, 3> kChoices = {{
    {Code::kLanes, "avx512ifma", CanUseLanes},
    {Code::kComb, "portable", CanUseComb},
    {Code::kOpenSsl, "openssl", Always},
}};

const Choice &ChoiceFor(const Candidate &candidate) {
  for (const Choice &choice : kChoices) {
    if (choice.is_possible(candidate)) {
      return choice;
    }
  }
  return kChoices.back();
}

// What was chosen for a curve, its table and what came of its comparison.
struct Row {
  const Choice *choice = nullptr;
  CombCurve description = {};
  const Comb *comb = nullptr;
  const Lanes *lanes = nullptr;
  std::unique_ptr<PlainCurve> plain;
  AlignedWords table;
  Verdict verdict = Verdict::kUnknown;
  uint32_t num_works = 0;  // since the last audit

  [[nodiscard]] Multiplier multiplier() const {
    return {comb, lanes, plain.get(), table.data()};
  }
};

class Dispatch {
 public:
  const char *KernelOf(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Row &row = Chosen(curve);
    return row.choice == nullptr ? kChoices.back().name : row.choice->name;
  }

  bool IsOurs(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Row &row = Chosen(curve);
    return row.comb != nullptr || row.lanes != nullptr;
  }

  Multiplier For(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!switched_off_.empty()) {
      return {};
    }
    Row &row = Chosen(curve);
    if (!row.multiplier().exists()) {
      return {};
    }
    if (row.table.empty() && !Fill(&row)) {
      return {};
    }
    if (row.verdict == Verdict::kUnknown) {
      row.verdict = CompareWithOpenSsl(curve, row.multiplier());
      if (row.verdict == Verdict::kWrong) {
        SwitchOffLocked(curve.name, "it disagrees with OpenSSL");
      }
    }
    return row.verdict == Verdict::kGood ? row.multiplier() : Multiplier{};
  }

  bool AreLanesReady(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Row &row = rows_[&curve];
    return switched_off_.empty() && row.lanes != nullptr &&
           row.verdict == Verdict::kGood;
  }

  bool IsAuditDue(const Curve &curve, uint32_t interval) {
    const std::lock_guard<std::mutex> lock(mutex_);
    uint32_t &num_works = rows_[&curve].num_works;
    const bool due = num_works == 0;
    num_works = (num_works + 1) % interval;
    return due;
  }

  void SwitchOff(const char *curve, const std::string &reason) {
    const std::lock_guard<std::mutex> lock(mutex_);
    SwitchOffLocked(curve, reason);
  }

  std::string SwitchedOff() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return switched_off_;
  }

#if defined(PAIRMINT_TESTING)
  void SwitchOnForTest() {
    const std::lock_guard<std::mutex> lock(mutex_);
    switched_off_.clear();
  }

  void ChooseForTest(const Curve &curve, const Comb *comb, const Lanes *lanes,
                     bool compared) {
    const std::lock_guard<std::mutex> lock(mutex_);
    switched_off_.clear();
    Row &row = rows_[&curve];
    row = {};
    if (comb == nullptr && lanes == nullptr) {
      return;
    }
    Chosen(curve);
    row.choice = &kChoices[lanes == nullptr ? 1 : 0];
    row.comb = comb;
    row.lanes = lanes;
    if (compared && Fill(&row)) {
      row.verdict = Verdict::kGood;
      row.num_works = 1;
    }
  }
#endif

 private:
  // The row of the curve, in which a choice is made unless memory runs out.
  Row &Chosen(const Curve &curve) {
    Row &row = rows_[&curve];
    bool a_is_zero = false;
    if (row.choice != nullptr ||
        !Describe(curve, &row.description, &a_is_zero)) {
      return row;
    }
    const Candidate candidate = {curve, NumLimbs(curve), a_is_zero};
    row.choice = &ChoiceFor(candidate);
    if (row.choice->code == Code::kLanes) {
      row.lanes = FindLanes(candidate.num_limbs, a_is_zero);
    } else if (row.choice->code == Code::kComb) {
      row.comb = FindComb(candidate.num_limbs, a_is_zero);
    }
    return row;
  }

  static bool Fill(Row *row) {
    if (row->lanes != nullptr) {
      const Lanes &lanes = *row->lanes;
      row->plain =
          PlainCurve::Make(lanes.num_limbs, lanes.a_is_zero, row->description);
      if (row->plain == nullptr) {
        return false;
      }
      row->table = AlignedWords(lanes.table_size);
      AlignedWords workspace(lanes.fill_workspace_size);
      lanes.fill(row->description, workspace.data(), row->table.data());
      return true;
    }
    row->table = AlignedWords(row->comb->table_size);
    AlignedWords workspace(row->comb->fill_workspace_size);
    row->comb->fill(row->description, workspace.data(), row->table.data());
    return true;
  }

  void SwitchOffLocked(const char *curve, const std::string &reason) {
    if (switched_off_.empty()) {
      switched_off_ = std::string(curve) + ": " + reason;
    }
  }

  std::mutex mutex_;
  std::map<const Curve *, Row> rows_;
  std::string switched_off_;
};

// Never destroyed: what is made after the crew would go before its threads are
// joined, and one of them may still mint while the process exits.
Dispatch &TheDispatch() {
  static Dispatch *dispatch = new Dispatch;
  return *dispatch;
}

}  // namespace

const char *KernelOf(const Curve &curve) {
  return TheDispatch().KernelOf(curve);
}

bool IsOurs(const Curve &curve) { return TheDispatch().IsOurs(curve); }

bool IsAuditDue(const Curve &curve, uint32_t interval) {
  return TheDispatch().IsAuditDue(curve, interval);
}

bool AreLanesReady(const Curve &curve) {
  return TheDispatch().AreLanesReady(curve);
}

Multiplier MultiplierFor(const Curve &curve) {
  return TheDispatch().For(curve);
}

bool MayUseIfma() { return HasAvx512Ifma() && IsAllowed("avx512ifma"); }

void SwitchOff(const char *curve, const std::string &reason) {
  TheDispatch().SwitchOff(curve, reason);
}

std::string SwitchedOff() { return TheDispatch().SwitchedOff(); }

#if defined(PAIRMINT_TESTING)
void SwitchOnForTest() { TheDispatch().SwitchOnForTest(); }

void ChooseForTest(const Curve &curve, const Comb *comb, const Lanes *lanes,
                   bool compared) {
  TheDispatch().ChooseForTest(curve, comb, lanes, compared);
}
#endif

}  // namespace pairmint::ec
