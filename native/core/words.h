#ifndef NATIVE_CORE_WORDS_H_
#define NATIVE_CORE_WORDS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bytes.h"
#include "core/openssl.h"

namespace pairmint::core {

// Numbers as bytes are big-endian. Numbers as words are 64-bit digits, the
// lowest first. Neither depends on the machine, and time depends on lengths
// alone, which are public.

using Words = std::span<const uint64_t>;
using MutableWords = std::span<uint64_t>;

constexpr size_t kWordLen = sizeof(uint64_t);

// The number of at most eight bytes.
inline uint64_t LoadBigEndian(ByteSpan bytes) {
  uint64_t number = 0;
  for (const uint8_t byte : bytes) {
    number = number << 8 | byte;
  }
  return number;
}

// Fills `out` with the number's lowest bytes, or with zeros in front of them.
inline void StoreBigEndian(uint64_t number, MutableByteSpan out) {
  for (size_t i = out.size(); i-- > 0; number >>= 8) {
    out[i] = static_cast<uint8_t>(number);
  }
}

// The same for any length. Words that no byte reaches become zero, and bytes
// for which there is no word are left out.
inline void ToWords(ByteSpan bytes, MutableWords out) {
  for (uint64_t &word : out) {
    const size_t len = std::min(kWordLen, bytes.size());
    word = LoadBigEndian(bytes.last(len));
    bytes = bytes.first(bytes.size() - len);
  }
}

inline void ToBytes(Words words, MutableByteSpan out) {
  for (const uint64_t word : words) {
    const size_t len = std::min(kWordLen, out.size());
    StoreBigEndian(word, out.last(len));
    out = out.first(out.size() - len);
  }
  std::fill(out.begin(), out.end(), uint8_t{0});
}

// The same for OpenSSL's numbers. A new one is marked as secret
// (BN_FLG_CONSTTIME); nullptr when memory runs out.
BignumPtr ToBignum(Words words);
// False when there are too few words.
bool ToWords(const BIGNUM *number, MutableWords out);

}  // namespace pairmint::core

#endif  // NATIVE_CORE_WORDS_H_
