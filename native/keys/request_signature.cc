#include "keys/request_signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <initializer_list>
#include <string_view>

#include "core/openssl.h"

namespace pairmint::keys {
namespace {

using core::ByteSpan;
using core::MdCtxPtr;
using core::Status;
using core::StatusCode;

constexpr size_t kDigestLen = 32;
constexpr size_t kBlockLen = 64;

using Digest = std::array<uint8_t, kDigestLen>;
using Hex = std::array<uint8_t, 2 * kDigestLen>;

// Fetched once: fetching takes longer than hashing a request does. Never freed,
// as a worker may still need it while the process exits.
const EVP_MD *Sha256() {
  static const EVP_MD *const kDigest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return kDigest;
}

bool Hash(EVP_MD_CTX *ctx, std::initializer_list<ByteSpan> parts, Digest *out) {
  if (EVP_DigestInit_ex2(ctx, Sha256(), nullptr) != 1) {
    return false;
  }
  for (const ByteSpan part : parts) {
    if (EVP_DigestUpdate(ctx, part.data(), part.size()) != 1) {
      return false;
    }
  }
  return EVP_DigestFinal_ex(ctx, out->data(), nullptr) == 1;
}

// RFC 2104, for a key that is shorter than a block. EVP_MAC would take longer
// than all that is hashed here.
bool Hmac(EVP_MD_CTX *ctx, ByteSpan key, ByteSpan head, ByteSpan tail,
          Digest *out) {
  std::array<uint8_t, kBlockLen> inner;
  std::array<uint8_t, kBlockLen> outer;
  for (size_t i = 0; i < kBlockLen; i++) {
    const uint8_t byte = i < key.size() ? key[i] : 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  const bool good =
      Hash(ctx, {inner, head, tail}, out) && Hash(ctx, {outer, *out}, out);
  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  return good;
}

Hex ToHex(const Digest &digest) {
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
  const MdCtxPtr ctx(EVP_MD_CTX_new());
  Digest body;
  Digest canonical;
  Digest expected;
  if (ctx == nullptr || !Hash(ctx.get(), {request.body}, &body) ||
      !Hash(ctx.get(), {request.canonical_head, ToHex(body)}, &canonical) ||
      !Hmac(ctx.get(), signing_key, request.scope_head, ToHex(canonical),
            &expected)) {
    return Status(StatusCode::kInternal, "HMAC failed");
  }
  const Hex text = ToHex(expected);
  *valid = signature.size() == text.size() &&
           CRYPTO_memcmp(signature.data(), text.data(), text.size()) == 0;
  return Status::Ok();
}

}  // namespace pairmint::keys
