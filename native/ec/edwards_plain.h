#ifndef NATIVE_EC_EDWARDS_PLAIN_H_
#define NATIVE_EC_EDWARDS_PLAIN_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>

#include "core/bytes.h"
#include "ec/plain.h"

namespace pairmint::ec {

// PlainCurve for edwards25519, whose lanes have other limbs and another law. No
// branch and no address depends on what EncodeEdwards gets, either. Add takes
// points of the curve alone, and AreSame finds no point whose Z is 0 the same
// as any.
class PlainEdwards : public PlainCurve {
 public:
  // nullptr if this build has none.
  static std::unique_ptr<PlainEdwards> Make();

  // The affine point of a public key (RFC 8032, 5.1.3); false if there is none.
  virtual bool Decode(core::ByteSpan key, uint64_t *affine) const = 0;
};

// Writes the 32 bytes of a public key (RFC 8032, 5.1.2).
void EncodeEdwards(const uint64_t *affine, core::MutableByteSpan out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_EDWARDS_PLAIN_H_
