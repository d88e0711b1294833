#ifndef NATIVE_CORE_BYTES_H_
#define NATIVE_CORE_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pairmint::core {

using ByteSpan = std::span<const uint8_t>;
using MutableByteSpan = std::span<uint8_t>;
// Public bytes only. Key material lives in SecretBytes.
using Bytes = std::vector<uint8_t>;

inline void StoreBigEndian32(uint8_t *out, uint32_t value) {
  out[0] = static_cast<uint8_t>(value >> 24);
  out[1] = static_cast<uint8_t>(value >> 16);
  out[2] = static_cast<uint8_t>(value >> 8);
  out[3] = static_cast<uint8_t>(value);
}

}  // namespace pairmint::core

#endif  // NATIVE_CORE_BYTES_H_
