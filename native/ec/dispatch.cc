#include "ec/dispatch.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/secret_bytes.h"
#include "core/words.h"
#include "ec/openssl_code.h"
#include "ec/verify.h"

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

using Room = std::vector<uint64_t>;

Room RoomFor(size_t size) { return Room(size / core::kWordLen); }

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

// Wipes the stack below the caller's frame, where the comb's intermediate
// results were. Its deepest chain of calls, with nine limbs from Multiply
// through Law::Add and Algorithm 4 to a product, takes 3.3 KB (g++ 12, -O2).
[[gnu::noinline]] void WipeStack() {
  std::array<uint8_t, 8192> frame;
  OPENSSL_cleanse(frame.data(), frame.size());
}

// The scalars 1, 2, n - 1 and a random one, all of them public.
//
// 1 and 2 have the digit 0 nearly everywhere; n - 1 gives the opposite of the
// generator and the carries of an order with long runs of ones; a random scalar
// has digits of every size and both signs.
bool KnownKeys(const Curve &curve, std::array<BignumPtr, 4> *out) {
  for (BignumPtr &key : *out) {
    key.reset(BN_dup(EC_GROUP_get0_order(GroupOf(curve))));
    if (key == nullptr) {
      return false;
    }
  }
  BignumPtr drawn;
  const bool ok = BN_set_word((*out)[0].get(), 1) == 1 &&
                  BN_set_word((*out)[1].get(), 2) == 1 &&
                  BN_sub_word((*out)[2].get(), 1) == 1 &&
                  DrawPrivateKey(curve, &drawn).ok();
  (*out)[3] = std::move(drawn);
  return ok;
}

enum class Verdict { kUnknown, kGood, kWrong, kNone };

// kUnknown if OpenSSL failed, for which a lack of memory is one reason: the
// comparison is repeated the next time.
Verdict CompareWithOpenSsl(const Curve &curve, const Multiplier &multiplier) {
  std::array<BignumPtr, 4> keys;
  const size_t point_len = PointLen(curve);
  core::Bytes computed(keys.size() * point_len);
  core::Bytes expected(keys.size() * point_len);
  bool verified = false;
  if (!KnownKeys(curve, &keys)) {
    return Verdict::kUnknown;
  }
  if (!MultiplyUnchecked(curve, multiplier, keys, computed).ok() ||
      !VerifyPoints(curve, keys, computed, &verified).ok()) {
    return Verdict::kUnknown;
  }
  for (size_t i = 0; i < keys.size(); i++) {
    const MutableByteSpan point(expected.data() + i * point_len, point_len);
    if (!PublicPoint(curve, keys[i].get(), point).ok()) {
      return Verdict::kUnknown;
    }
  }
  if (computed != expected) {
    return Verdict::kWrong;
  }
  return verified ? Verdict::kGood : Verdict::kUnknown;
}

bool IsLeftToOpenSsl(const Curve &curve) {
  const char *kernel = std::getenv("PAIRMINT_KERNEL");
  return OpenSslHasOwnCode(curve) ||
         (kernel != nullptr && strcmp(kernel, "openssl") == 0);
}

const Comb *CombFor(const Curve &curve, bool a_is_zero) {
  return IsLeftToOpenSsl(curve) ? nullptr
                                : FindComb(NumLimbs(curve), a_is_zero);
}

// A curve's comb, if it has one, its table and what came of its comparison.
struct Row {
  const Comb *comb = nullptr;
  Room table;
  Verdict verdict = Verdict::kUnknown;
};

class Dispatch {
 public:
  Multiplier For(const Curve &curve) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Row &row = rows_[&curve];
    if (!switched_off_.empty()) {
      return {};
    }
    if (row.table.empty() && row.verdict == Verdict::kUnknown) {
      if (!Fill(curve, &row)) {
        return {};
      }
    }
    const Multiplier multiplier = {row.comb, row.table.data()};
    if (row.verdict == Verdict::kUnknown) {
      row.verdict = CompareWithOpenSsl(curve, multiplier);
      if (row.verdict == Verdict::kWrong) {
        SwitchOffLocked(curve, "it disagrees with OpenSSL");
      }
    }
    return row.verdict == Verdict::kGood ? multiplier : Multiplier{};
  }

  void SwitchOff(const Curve &curve, const std::string &reason) {
    const std::lock_guard<std::mutex> lock(mutex_);
    SwitchOffLocked(curve, reason);
  }

  std::string SwitchedOff() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return switched_off_;
  }

  void ChooseForTest(const Curve &curve, const Comb *comb, bool compared) {
    const std::lock_guard<std::mutex> lock(mutex_);
    switched_off_.clear();
    Row &row = rows_[&curve];
    row = {comb, {}, Verdict::kUnknown};
    if (compared && Fill(curve, &row)) {
      row.verdict = Verdict::kGood;
    }
  }

 private:
  static bool Fill(const Curve &curve, Row *row) {
    CombCurve description = {};
    bool a_is_zero = false;
    if (!Describe(curve, &description, &a_is_zero)) {
      return false;
    }
    if (row->comb == nullptr) {
      row->comb = CombFor(curve, a_is_zero);
    }
    if (row->comb == nullptr) {
      row->verdict = Verdict::kNone;
      return false;
    }
    row->table = RoomFor(row->comb->table_size);
    Room workspace = RoomFor(row->comb->fill_workspace_size);
    row->comb->fill(description, workspace.data(), row->table.data());
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

// Never destroyed: what is made after the crew would go before its threads are
// joined, and one of them may still mint while the process exits.
Dispatch &TheDispatch() {
  static Dispatch *dispatch = new Dispatch;
  return *dispatch;
}

}  // namespace

Status MultiplyUnchecked(const Curve &curve, const Multiplier &multiplier,
                         std::span<const BignumPtr> keys, MutableByteSpan out) {
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
  Room points(2 * len * keys.size());
  comb.multiply(multiplier.table, keys.size(), limbs, workspace.data(),
                points.data());
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

bool HasComb(const Curve &curve) {
  CombCurve description = {};
  bool a_is_zero = false;
  return Describe(curve, &description, &a_is_zero) &&
         CombFor(curve, a_is_zero) != nullptr;
}

Multiplier MultiplierFor(const Curve &curve) {
  return TheDispatch().For(curve);
}

void SwitchOff(const Curve &curve, const std::string &reason) {
  TheDispatch().SwitchOff(curve, reason);
}

std::string SwitchedOff() { return TheDispatch().SwitchedOff(); }

#if defined(PAIRMINT_TESTING)
void ChooseForTest(const Curve &curve, const Comb *comb, bool compared) {
  TheDispatch().ChooseForTest(curve, comb, compared);
}
#endif

}  // namespace pairmint::ec
