#ifndef NATIVE_EC_MULTIPLY_H_
#define NATIVE_EC_MULTIPLY_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/bytes.h"
#include "core/openssl.h"
#include "core/status.h"
#include "ec/comb.h"
#include "ec/curve.h"
#include "ec/lanes.h"
#include "ec/plain.h"

namespace pairmint::ec {

// 64-bit words of a coordinate of the curve.
inline size_t NumLimbs(const Curve &curve) { return (curve.field_len + 7) / 8; }

// What multiplies the generator of a curve: lanes, or else a comb, and the
// table that it computes with.
struct Multiplier {
  const Comb *comb = nullptr;
  const Lanes *lanes = nullptr;
  const PlainCurve *plain = nullptr;  // beside lanes
  const void *table = nullptr;

  [[nodiscard]] bool exists() const {
    return comb != nullptr || lanes != nullptr;
  }
};

// Words that begin where a vector may, as lanes want them.
class AlignedWords {
 public:
  AlignedWords() = default;
  explicit AlignedWords(size_t size);

  uint64_t *data();
  [[nodiscard]] const uint64_t *data() const;
  [[nodiscard]] bool empty() const { return words_.empty(); }

 private:
  std::vector<uint64_t> words_;
};

// Wipes the stack below the caller's frame, where intermediate results of lanes
// or a comb were.
void WipeStack();

// Writes key * generator by a table of the multiplier's lanes.
core::Status MultiplySplit(const Multiplier &multiplier, LanesTable which,
                           const BIGNUM *key, uint64_t *out);

// The points of `keys` by the multiplier, uncompressed and unchecked. On
// failure nothing is known of `out`, which has PointLen(curve) for each key.
core::Status MultiplyUnchecked(const Curve &curve, const Multiplier &multiplier,
                               std::span<const core::BignumPtr> keys,
                               core::MutableByteSpan out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_MULTIPLY_H_
