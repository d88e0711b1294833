#ifndef NATIVE_CORE_SHA512_H_
#define NATIVE_CORE_SHA512_H_

#include <array>

#include "core/bytes.h"

namespace pairmint::core {

using Sha512Digest = std::array<uint8_t, 64>;

// The digest of a message that is secret: the state is wiped. False on failure.
bool Sha512(ByteSpan message, Sha512Digest *out);

}  // namespace pairmint::core

#endif  // NATIVE_CORE_SHA512_H_
