#include "ec/dispatch.h"

#include <openssl/obj_mac.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/words.h"
#include "ec/compare.h"
#include "ec/openssl_code.h"
#include "mont/dispatch.h"

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
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

// PAIRMINT_KERNEL, as it was when it was read first: JavaScript may change the
// environment while another thread reads it.
const std::string &Requested() {
  static const std::string *name = new std::string(mont::GetReport().requested);
  return *name;
}

bool IsAllowed(const char *name) {
  return Requested().empty() || Requested() == name;
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
  return curve.nid != NID_X9_62_prime256v1 || Requested() == "avx512ifma";
}

bool CanUseLanes(const Candidate &candidate) {
  return AreLanesWorthIt(candidate.curve) &&
         FindLanes(candidate.num_limbs, candidate.a_is_zero) != nullptr &&
         MayUseIfma();
}

bool CanUseComb(const Candidate &candidate) {
  return FindComb(candidate.num_limbs, candidate.a_is_zero) != nullptr &&
         !OpenSslHasOwnCode(candidate.curve) && Requested() != "openssl";
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
    if (is_switched_off_) {
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
      NoteReady(curve, row);
    }
    return row.verdict == Verdict::kGood ? row.multiplier() : Multiplier{};
  }

  bool AreLanesReady(const Curve &curve) {
    return !is_switched_off_ && IsReady(curve);
  }

  bool IsSwitchedOff() const { return is_switched_off_; }

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
    SwitchOnLocked();
  }

  void ChooseForTest(const Curve &curve, const Comb *comb, const Lanes *lanes,
                     bool compared) {
    const std::lock_guard<std::mutex> lock(mutex_);
    SwitchOnLocked();
    Row &row = rows_[&curve];
    row = {};
    NoteReady(curve, row);
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
      NoteReady(curve, row);
    }
  }
#endif

 private:
  // Apart from the rows, whose lock is held for milliseconds while tables are
  // made.
  std::atomic<bool> &IsReady(const Curve &curve) {
    return are_lanes_ready_[static_cast<size_t>(&curve - Curves().data())];
  }

  void NoteReady(const Curve &curve, const Row &row) {
    IsReady(curve) = row.lanes != nullptr && row.verdict == Verdict::kGood;
  }

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

#if defined(PAIRMINT_TESTING)
  void SwitchOnLocked() {
    switched_off_.clear();
    is_switched_off_ = false;
  }
#endif

  void SwitchOffLocked(const char *curve, const std::string &reason) {
    if (switched_off_.empty()) {
      switched_off_ = std::string(curve) + ": " + reason;
      is_switched_off_ = true;
    }
  }

  std::mutex mutex_;
  std::map<const Curve *, Row> rows_;
  std::array<std::atomic<bool>, 8> are_lanes_ready_ = {};  // one for each curve
  std::string switched_off_;
  std::atomic<bool> is_switched_off_ = false;
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

bool IsSwitchedOff() { return TheDispatch().IsSwitchedOff(); }

std::string SwitchedOff() { return TheDispatch().SwitchedOff(); }

#if defined(PAIRMINT_TESTING)
void SwitchOnForTest() { TheDispatch().SwitchOnForTest(); }

void ChooseForTest(const Curve &curve, const Comb *comb, const Lanes *lanes,
                   bool compared) {
  TheDispatch().ChooseForTest(curve, comb, lanes, compared);
}
#endif

}  // namespace pairmint::ec
