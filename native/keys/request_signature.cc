#include "keys/request_signature.h"

#include <openssl/crypto.h>

#include <array>
#include <string_view>

#include "core/sha256.h"

namespace pairmint::keys {
namespace {

using core::ByteSpan;
using core::HmacKey;
using core::Sha256;
using core::Sha256Digest;
using core::Status;
using core::StatusCode;

using Hex = std::array<uint8_t, 2 * core::kSha256Len>;

Hex ToHex(const Sha256Digest &digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Hex out;
  for (size_t i = 0; i < digest.size(); i++) {
    out[2 * i] = kDigits[digest[i] >> 4];
    out[2 * i + 1] = kDigits[digest[i] & 15];
  }
  return out;
}

}  // namespace

Status VerifyRequest(ByteSpan signing_key, const SignedRequest &request,
                     ByteSpan signature, bool *valid) {
  if (signing_key.size() != kSigningKeyLen) {
    return Status(StatusCode::kInvalidArgument, "this is no signing key");
  }
  Sha256Digest body;
  Sha256Digest canonical;
  Sha256Digest expected;
  if (!Sha256({request.body}, &body) ||
      !Sha256({request.canonical_head, ToHex(body)}, &canonical) ||
      !HmacKey(signing_key)
           .Compute(request.scope_head, {ToHex(canonical)}, &expected)) {
    return core::Failed("HMAC");
  }
  const Hex text = ToHex(expected);
  *valid = signature.size() == text.size() &&
           CRYPTO_memcmp(signature.data(), text.data(), text.size()) == 0;
  return Status::Ok();
}

}  // namespace pairmint::keys
