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

}  // namespace pairmint::core

#endif  // NATIVE_CORE_BYTES_H_
