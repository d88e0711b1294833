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
#include <vector>

#include "core/secret_bytes.h"
#include "core/words.h"
#include "ec/openssl_code.h"
#include "ec/verify.h"
#include "mont/dispatch.h"

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::Failed;
using core::MutableByteSpan;
using core::SecretBytes;
using core::Status;
using core::ToBytes;
using core::ToWords;

constexpr size_t kAlignment = 64;

size_t NumLimbs(const Curve &curve) { return (curve.field_len + 7) / 8; }

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

// Wipes the stack below the caller's frame, where intermediate results were.
// The comb's deepest chain of calls, with nine limbs from Multiply through
// Law::Add and Algorithm 4 to a product, takes 3.3 KB (g++ 12, -O2); the
// addition of points in lanes of eleven limbs with its products 14 KB.
[[gnu::noinline]] void WipeStack() {
  std::array<uint8_t, 24576> frame;
  OPENSSL_cleanse(frame.data(), frame.size());
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
         HasAvx512Ifma() && IsAllowed("avx512ifma");
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
        SwitchOffLocked(curve, "it disagrees with OpenSSL");
      }
    }
    return row.verdict == Verdict::kGood ? row.multiplier() : Multiplier{};
  }

  bool IsAuditDue(const Curve &curve, uint32_t interval) {
    const std::lock_guard<std::mutex> lock(mutex_);
    uint32_t &num_works = rows_[&curve].num_works;
    const bool due = num_works == 0;
    num_works = (num_works + 1) % interval;
    return due;
  }

  void SwitchOff(const Curve &curve, const std::string &reason) {
    const std::lock_guard<std::mutex> lock(mutex_);
    SwitchOffLocked(curve, reason);
  }

  std::string SwitchedOff() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return switched_off_;
  }

#if defined(PAIRMINT_TESTING)
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

  void SwitchOffLocked(const Curve &curve, const std::string &reason) {
    if (switched_off_.empty()) {
      switched_off_ = std::string(curve.name) + ": " + reason;
    }
  }

  std::mutex mutex_;
  std::map<const Curve *, Row> rows_;
  std::string switched_off_;
};

using Words = std::vector<uint64_t>;

// What eight lanes, or one key that is split over them, work in. Scalars of
// lanes that are not set are 0, and their result is thrown away.
class LanesRoom {
 public:
  LanesRoom(const Lanes &lanes, size_t count)
      : len_(lanes.num_limbs),
        scalars_(count * (len_ + 2) * core::kWordLen),
        workspace_(lanes.workspace_size) {}

  bool SetScalar(size_t i, const BIGNUM *key) {
    uint64_t *words = scalars() + i * (len_ + 2);
    if (!ToWords(key, {words, len_})) {
      return false;
    }
    for (size_t w = len_; w > 0; w--) {
      words[w] |= words[w - 1] >> 63;
      words[w - 1] <<= 1;
    }
    return true;
  }

  uint64_t *scalars() { return reinterpret_cast<uint64_t *>(scalars_.data()); }
  void *workspace() { return workspace_.data(); }

 private:
  const size_t len_;
  SecretBytes scalars_;
  SecretBytes workspace_;  // a block of a power of two, and aligned like it
};

Status MultiplyByLanes(const Multiplier &multiplier,
                       std::span<const BignumPtr> keys, Words *out) {
  const Lanes &lanes = *multiplier.lanes;
  const size_t point = 3 * lanes.num_limbs;
  SecretBytes points((keys.size() + kLanesWide) * point * core::kWordLen);
  auto *words = reinterpret_cast<uint64_t *>(points.data());
  if (keys.size() == 1) {
    PAIRMINT_RETURN_IF_ERROR(
        MultiplySplit(multiplier, LanesTable::kFourBits, keys[0].get(), words));
  } else {
    for (size_t at = 0; at < keys.size(); at += kLanesWide) {
      LanesRoom room(lanes, kLanesWide);
      for (size_t i = at; i < keys.size() && i < at + kLanesWide; i++) {
        if (!room.SetScalar(i - at, keys[i].get())) {
          return Failed(kKeyGeneration);
        }
      }
      lanes.multiply_each(multiplier.table, room.scalars(), room.workspace(),
                          words + at * point);
    }
  }
  SecretBytes workspace(keys.size() * lanes.num_limbs * core::kWordLen);
  multiplier.plain->MakeAffine(keys.size(), words,
                               reinterpret_cast<uint64_t *>(workspace.data()),
                               out->data());
  return Status::Ok();
}

Status MultiplyByComb(const Multiplier &multiplier,
                      std::span<const BignumPtr> keys, Words *out) {
  const Comb &comb = *multiplier.comb;
  const size_t len = comb.num_limbs;
  SecretBytes scalars(keys.size() * len * core::kWordLen);
  auto *limbs = reinterpret_cast<uint64_t *>(scalars.data());
  for (size_t i = 0; i < keys.size(); i++) {
    if (!ToWords(keys[i].get(), {limbs + i * len, len})) {
      return Failed(kKeyGeneration);
    }
  }
  SecretBytes workspace(keys.size() * comb.workspace_size);
  comb.multiply(multiplier.table, keys.size(), limbs, workspace.data(),
                out->data());
  return Status::Ok();
}

// Never destroyed: what is made after the crew would go before its threads are
// joined, and one of them may still mint while the process exits.
Dispatch &TheDispatch() {
  static Dispatch *dispatch = new Dispatch;
  return *dispatch;
}

}  // namespace

AlignedWords::AlignedWords(size_t size)
    : words_((size + kAlignment) / core::kWordLen) {}

uint64_t *AlignedWords::data() {
  return const_cast<uint64_t *>(std::as_const(*this).data());
}

const uint64_t *AlignedWords::data() const {
  const auto address = reinterpret_cast<uintptr_t>(words_.data());
  return words_.data() + (-address % kAlignment) / core::kWordLen;
}

Status MultiplySplit(const Multiplier &multiplier, LanesTable which,
                     const BIGNUM *key, uint64_t *out) {
  const Lanes &lanes = *multiplier.lanes;
  LanesRoom room(lanes, 1);
  if (!room.SetScalar(0, key)) {
    return Failed(kKeyGeneration);
  }
  lanes.multiply_split(multiplier.table, which, room.scalars(),
                       room.workspace(), out);
  WipeStack();
  return Status::Ok();
}

Status MultiplyUnchecked(const Curve &curve, const Multiplier &multiplier,
                         std::span<const BignumPtr> keys, MutableByteSpan out) {
  const size_t len = NumLimbs(curve);
  Words points(2 * len * keys.size());
  PAIRMINT_RETURN_IF_ERROR(multiplier.lanes == nullptr
                               ? MultiplyByComb(multiplier, keys, &points)
                               : MultiplyByLanes(multiplier, keys, &points));
  WipeStack();
  for (size_t i = 0; i < keys.size(); i++) {
    const MutableByteSpan point =
        out.subspan(i * PointLen(curve), PointLen(curve));
    const auto x = std::span(points).subspan(2 * len * i, len);
    const auto y = std::span(points).subspan(2 * len * i + len, len);
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    ToBytes(x, point.subspan(1, curve.field_len));
    ToBytes(y, point.last(curve.field_len));
  }
  return Status::Ok();
}

const char *KernelOf(const Curve &curve) {
  return TheDispatch().KernelOf(curve);
}

bool IsOurs(const Curve &curve) { return TheDispatch().IsOurs(curve); }

bool IsAuditDue(const Curve &curve, uint32_t interval) {
  return TheDispatch().IsAuditDue(curve, interval);
}

Multiplier MultiplierFor(const Curve &curve) {
  return TheDispatch().For(curve);
}

void SwitchOff(const Curve &curve, const std::string &reason) {
  TheDispatch().SwitchOff(curve, reason);
}

std::string SwitchedOff() { return TheDispatch().SwitchedOff(); }

#if defined(PAIRMINT_TESTING)
void ChooseForTest(const Curve &curve, const Comb *comb, const Lanes *lanes,
                   bool compared) {
  TheDispatch().ChooseForTest(curve, comb, lanes, compared);
}
#endif

}  // namespace pairmint::ec
