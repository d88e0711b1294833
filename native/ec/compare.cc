#include "ec/compare.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "ec/openssl_code.h"
#include "ec/verify.h"

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::MutableByteSpan;

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

}  // namespace

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

}  // namespace pairmint::ec
