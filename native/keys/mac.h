#ifndef NATIVE_KEYS_MAC_H_
#define NATIVE_KEYS_MAC_H_

#include <string_view>

#include "core/bytes.h"
#include "core/status.h"

namespace pairmint::keys {

// Computes the HMAC (FIPS 198-1) that KMS calls `algorithm` of `message`.
// kInvalidArgument if the key is not as long as the algorithm's keys are:
// the hash, for those of HMAC KMS keys.
core::Status Mac(core::ByteSpan key, std::string_view algorithm,
                 core::ByteSpan message, core::Bytes *out);

// Compares in constant time; `valid` is false for any other length.
core::Status VerifyMac(core::ByteSpan key, std::string_view algorithm,
                       core::ByteSpan message, core::ByteSpan mac, bool *valid);

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_MAC_H_
