#ifndef NATIVE_ENVELOPE_KDF_H_
#define NATIVE_ENVELOPE_KDF_H_

#include <string_view>

#include "core/bytes.h"
#include "core/status.h"

namespace pairmint::envelope {

constexpr size_t kHmacLen = 32;

// HMAC-SHA-256 (FIPS 198-1) of the parts in a row; `out` has kHmacLen bytes.
core::Status Hmac(core::ByteSpan key,
                  std::initializer_list<core::ByteSpan> parts,
                  core::MutableByteSpan out);

// SP 800-108r1 section 4.1, counter mode with HMAC-SHA-256, a 32-bit counter
// before the fixed data.
core::Status CounterKdf(core::ByteSpan key,
                        std::initializer_list<core::ByteSpan> fixed_data,
                        core::MutableByteSpan out);

// The KDF of the DKP envelope: CounterKdf with the fixed data
// label || 00 || context || bit length of `out`.
core::Status DeriveKey(core::ByteSpan key, std::string_view label,
                       core::ByteSpan context, core::MutableByteSpan out);

}  // namespace pairmint::envelope

#endif  // NATIVE_ENVELOPE_KDF_H_
