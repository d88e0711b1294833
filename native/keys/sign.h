#ifndef NATIVE_KEYS_SIGN_H_
#define NATIVE_KEYS_SIGN_H_

#include <string_view>

#include "core/bytes.h"
#include "core/status.h"

namespace pairmint::keys {

// Signs with a private key (PrivateKeyInfo) by the algorithm and message type
// that KMS calls `algorithm` and `message_type`. kInvalidArgument if they do
// not fit the key or each other, or a digest has another length; kUnsupported
// if OpenSSL lacks the algorithm.
core::Status Sign(core::ByteSpan pkcs8, std::string_view algorithm,
                  std::string_view message_type, core::ByteSpan message,
                  core::Bytes *out);

// Verifies with a public key (SubjectPublicKeyInfo); a signature that is not
// even well-formed is merely not valid.
core::Status Verify(core::ByteSpan spki, std::string_view algorithm,
                    std::string_view message_type, core::ByteSpan message,
                    core::ByteSpan signature, bool *valid);

// Flips a bit of every signature before it is verified. Only the tests' build
// has it.
#if defined(PAIRMINT_TESTING)
void SpoilSignatures(bool spoil);
#endif

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_SIGN_H_
