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
// for which there is no word are left out. Whole words come first: compilers
// make one instruction of a length that is a constant.
inline void ToWords(ByteSpan bytes, MutableWords out) {
  while (bytes.size() >= kWordLen && !out.empty()) {
    out.front() = LoadBigEndian(bytes.last(kWordLen));
    bytes = bytes.first(bytes.size() - kWordLen);
    out = out.subspan(1);
  }
  if (!out.empty()) {
    out.front() = LoadBigEndian(bytes);
    std::fill(out.begin() + 1, out.end(), uint64_t{0});
  }
}

inline void ToBytes(Words words, MutableByteSpan out) {
  while (out.size() >= kWordLen && !words.empty()) {
    StoreBigEndian(words.front(), out.last(kWordLen));
    out = out.first(out.size() - kWordLen);
    words = words.subspan(1);
  }
  StoreBigEndian(words.empty() ? 0 : words.front(), out);
}

// The same for OpenSSL's numbers. A new one is marked as secret
// (BN_FLG_CONSTTIME); nullptr when memory runs out.
BignumPtr ToBignum(Words words);
// False when there are too few words.
bool ToWords(const BIGNUM *number, MutableWords out);

}  // namespace pairmint::core

#endif  // NATIVE_CORE_WORDS_H_
