#ifndef NATIVE_CORE_RANDOM_H_
#define NATIVE_CORE_RANDOM_H_

#include "core/bytes.h"
#include "core/status.h"

namespace pairmint::core {

// Fills `out` from OpenSSL's private DRBG (SP 800-90A CTR_DRBG, one a thread).
// Short outputs come out of a stock of at most a second's age, in locked
// memory, whose bytes are wiped as they are taken. On failure `out` is wiped
// and the status is kEntropy.
Status FillRandom(MutableByteSpan out);

// Makes every FillRandom from now on fail after `calls` more calls; negative
// turns it off. Only the tests' build has it.
#if defined(PAIRMINT_TESTING)
void FailRandomAfter(int calls);
// Has OpenSSL's generator fail, of which short outputs hear when the stock is
// used up.
void FailDraws(bool fail);
// How often OpenSSL's generator was asked so far.
int CountDraws();
#endif

}  // namespace pairmint::core

#endif  // NATIVE_CORE_RANDOM_H_
