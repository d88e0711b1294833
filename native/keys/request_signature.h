#ifndef NATIVE_KEYS_REQUEST_SIGNATURE_H_
#define NATIVE_KEYS_REQUEST_SIGNATURE_H_

#include "core/bytes.h"
#include "core/status.h"

namespace pairmint::keys {

constexpr size_t kSigningKeyLen = 32;

// What a signature of AWS Signature Version 4 is made of (IAM User Guide,
// "Create a signed AWS API request").
struct SignedRequest {
  core::ByteSpan canonical_head;  // the canonical request up to the body's hash
  core::ByteSpan body;
  core::ByteSpan scope_head;  // the string to sign up to the request's hash
};

// Tells whether `signature`, 64 hex digits, is that of `request` under
// `signing_key`. Takes the same time whichever of its digits is wrong.
core::Status VerifyRequest(core::ByteSpan signing_key,
                           const SignedRequest &request,
                           core::ByteSpan signature, bool *valid);

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_REQUEST_SIGNATURE_H_
