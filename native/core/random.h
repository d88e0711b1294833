#ifndef NATIVE_CORE_RANDOM_H_
#define NATIVE_CORE_RANDOM_H_

#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"

namespace pairmint::core {

// Fills `out` from OpenSSL's private DRBG (SP 800-90A CTR_DRBG, one a thread).
// On failure `out` is wiped and the status is kEntropy.
Status FillRandom(MutableByteSpan out);

// While it lives, the first FillRandom of its thread draws `size` bytes and
// the next calls take theirs from them: the cost of a draw is mostly fixed.
// Each byte is wiped when it is taken, the rest at the end. If too few bytes
// are left, FillRandom draws as usual. At most one per thread.
class DrawAhead {
 public:
  explicit DrawAhead(size_t size);
  ~DrawAhead();
  DrawAhead(const DrawAhead &) = delete;
  DrawAhead &operator=(const DrawAhead &) = delete;

 private:
  friend Status FillRandom(MutableByteSpan out);

  Status Take(MutableByteSpan out);

  SecretBytes bytes_;
  MutableByteSpan rest_;
  bool drawn_ = false;
};

// Makes every FillRandom from now on fail after `calls` more calls; negative
// turns it off. Only the tests' build has it.
#if defined(PAIRMINT_TESTING)
void FailRandomAfter(int calls);
#endif

}  // namespace pairmint::core

#endif  // NATIVE_CORE_RANDOM_H_
