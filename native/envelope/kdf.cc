#include "envelope/kdf.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/openssl.h"

namespace pairmint::envelope {
namespace {

using core::ByteSpan;
using core::MacCtxPtr;
using core::MacPtr;
using core::MutableByteSpan;
using core::Status;
using core::StatusCode;

Status Failed() { return Status(StatusCode::kInternal, "HMAC failed"); }

// A context that knows its digest and no key. Fetching both costs more than
// the HMAC of a short message, so every HMAC copies this one. Never freed: a
// worker may still need it while the process exits.
EVP_MAC_CTX *MakeTemplate() {
  const MacPtr mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (mac == nullptr) {
    return nullptr;
  }
  MacCtxPtr ctx(EVP_MAC_CTX_new(mac.get()));
  std::array<char, 7> digest = {"SHA256"};
  const std::array<OSSL_PARAM, 2> params = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  if (ctx == nullptr || EVP_MAC_CTX_set_params(ctx.get(), params.data()) != 1) {
    return nullptr;
  }
  return ctx.release();
}

MacCtxPtr NewContext() {
  static const EVP_MAC_CTX *const kTemplate = MakeTemplate();
  return MacCtxPtr(kTemplate == nullptr ? nullptr : EVP_MAC_CTX_dup(kTemplate));
}

// Starts another message under the same key where `key` is null.
bool Compute(EVP_MAC_CTX *ctx, const ByteSpan *key, ByteSpan prefix,
             std::initializer_list<ByteSpan> parts, uint8_t *out) {
  if (EVP_MAC_init(ctx, key == nullptr ? nullptr : key->data(),
                   key == nullptr ? 0 : key->size(), nullptr) != 1 ||
      EVP_MAC_update(ctx, prefix.data(), prefix.size()) != 1) {
    return false;
  }
  for (const ByteSpan part : parts) {
    if (EVP_MAC_update(ctx, part.data(), part.size()) != 1) {
      return false;
    }
  }
  size_t len = 0;
  return EVP_MAC_final(ctx, out, &len, kHmacLen) == 1 && len == kHmacLen;
}

}  // namespace

Status Hmac(ByteSpan key, std::initializer_list<ByteSpan> parts,
            MutableByteSpan out) {
  const MacCtxPtr ctx = NewContext();
  if (ctx == nullptr || out.size() != kHmacLen ||
      !Compute(ctx.get(), &key, {}, parts, out.data())) {
    return Failed();
  }
  return Status::Ok();
}

Status CounterKdf(ByteSpan key, std::initializer_list<ByteSpan> fixed_data,
                  MutableByteSpan out) {
  const MacCtxPtr ctx = NewContext();
  if (ctx == nullptr) {
    return Failed();
  }
  std::array<uint8_t, kHmacLen> block;
  std::array<uint8_t, 4> counter;
  bool good = true;
  uint32_t i = 1;
  for (size_t at = 0; good && at < out.size(); at += kHmacLen, i++) {
    core::StoreBigEndian32(counter.data(), i);
    good = Compute(ctx.get(), i == 1 ? &key : nullptr, counter, fixed_data,
                   block.data());
    memcpy(out.data() + at, block.data(), std::min(kHmacLen, out.size() - at));
  }
  OPENSSL_cleanse(block.data(), block.size());
  if (!good) {
    OPENSSL_cleanse(out.data(), out.size());
    return Failed();
  }
  return Status::Ok();
}

Status DeriveKey(ByteSpan key, std::string_view label, ByteSpan context,
                 MutableByteSpan out) {
  const ByteSpan label_bytes(reinterpret_cast<const uint8_t *>(label.data()),
                             label.size());
  const std::array<uint8_t, 1> separator = {0};
  std::array<uint8_t, 4> bit_len;
  core::StoreBigEndian32(bit_len.data(), static_cast<uint32_t>(out.size() * 8));
  return CounterKdf(key, {label_bytes, separator, context, bit_len}, out);
}

}  // namespace pairmint::envelope
