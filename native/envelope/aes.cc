#include "envelope/aes.h"

#include <openssl/evp.h>

#include "core/openssl.h"

namespace pairmint::envelope {
namespace {

using core::ByteSpan;
using core::CipherCtxPtr;
using core::CipherPtr;
using core::Failed;
using core::MutableByteSpan;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

// Fetched once: fetching takes longer than sealing a key does.
const EVP_CIPHER *Gcm() {
  static core::Kept<EVP_CIPHER> cipher;
  return cipher.Get(
      [] { return EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr); },
      EVP_CIPHER_free);
}

const EVP_CIPHER *Kwp() {
  static core::Kept<EVP_CIPHER> cipher;
  return cipher.Get(
      [] { return EVP_CIPHER_fetch(nullptr, "AES-256-WRAP-PAD", nullptr); },
      EVP_CIPHER_free);
}

int Length(ByteSpan bytes) { return static_cast<int>(bytes.size()); }

}  // namespace

Status GcmSeal(ByteSpan key, ByteSpan iv, ByteSpan aad, ByteSpan plaintext,
               MutableByteSpan out) {
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  if (ctx == nullptr || key.size() != kAesKeyLen || iv.size() != kGcmIvLen ||
      out.size() != plaintext.size() + kGcmTagLen) {
    return Failed("AES");
  }
  int len = 0;
  uint8_t *tag = out.data() + plaintext.size();
  if (EVP_EncryptInit_ex2(ctx.get(), Gcm(), key.data(), iv.data(), nullptr) !=
          1 ||
      EVP_EncryptUpdate(ctx.get(), nullptr, &len, aad.data(), Length(aad)) !=
          1 ||
      EVP_EncryptUpdate(ctx.get(), out.data(), &len, plaintext.data(),
                        Length(plaintext)) != 1 ||
      EVP_EncryptFinal_ex(ctx.get(), tag, &len) != 1 ||
      EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTagLen, tag) !=
          1) {
    return Failed("AES");
  }
  return Status::Ok();
}

Status GcmOpen(ByteSpan key, ByteSpan iv, ByteSpan aad, ByteSpan ciphertext,
               SecretBytes *out) {
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  if (ctx == nullptr || key.size() != kAesKeyLen || iv.size() != kGcmIvLen) {
    return Failed("AES");
  }
  if (ciphertext.size() < kGcmTagLen) {
    return Status(StatusCode::kInvalidCiphertext);
  }
  const ByteSpan body = ciphertext.first(ciphertext.size() - kGcmTagLen);
  const ByteSpan tag = ciphertext.last(kGcmTagLen);
  SecretBytes plaintext(body.size());
  int len = 0;
  if (EVP_DecryptInit_ex2(ctx.get(), Gcm(), key.data(), iv.data(), nullptr) !=
          1 ||
      EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTagLen,
                          const_cast<uint8_t *>(tag.data())) != 1 ||
      EVP_DecryptUpdate(ctx.get(), nullptr, &len, aad.data(), Length(aad)) !=
          1 ||
      EVP_DecryptUpdate(ctx.get(), plaintext.data(), &len, body.data(),
                        Length(body)) != 1) {
    return Failed("AES");
  }
  // GCM writes nothing in its final step, but the parameter may not be null.
  uint8_t nothing = 0;
  if (EVP_DecryptFinal_ex(ctx.get(), &nothing, &len) != 1) {
    return Status(StatusCode::kInvalidCiphertext);
  }
  *out = std::move(plaintext);
  return Status::Ok();
}

Status KwpWrap(ByteSpan kek, ByteSpan plaintext, core::Bytes *out) {
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  if (ctx == nullptr || kek.size() != kAesKeyLen || plaintext.empty()) {
    return Failed("AES");
  }
  EVP_CIPHER_CTX_set_flags(ctx.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  core::Bytes wrapped((plaintext.size() + 7) / 8 * 8 + 8);
  int len = 0;
  if (EVP_EncryptInit_ex2(ctx.get(), Kwp(), kek.data(), nullptr, nullptr) !=
          1 ||
      EVP_EncryptUpdate(ctx.get(), wrapped.data(), &len, plaintext.data(),
                        Length(plaintext)) != 1 ||
      static_cast<size_t>(len) != wrapped.size()) {
    return Failed("AES");
  }
  *out = std::move(wrapped);
  return Status::Ok();
}

Status KwpUnwrap(ByteSpan kek, ByteSpan wrapped, SecretBytes *out) {
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  if (ctx == nullptr || kek.size() != kAesKeyLen) {
    return Failed("AES");
  }
  if (wrapped.size() < 16 || wrapped.size() % 8 != 0) {
    return Status(StatusCode::kInvalidRecord);
  }
  EVP_CIPHER_CTX_set_flags(ctx.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  // OpenSSL uses the whole length of the input as work space.
  SecretBytes plaintext(wrapped.size());
  int len = 0;
  if (EVP_DecryptInit_ex2(ctx.get(), Kwp(), kek.data(), nullptr, nullptr) !=
      1) {
    return Failed("AES");
  }
  if (EVP_DecryptUpdate(ctx.get(), plaintext.data(), &len, wrapped.data(),
                        Length(wrapped)) != 1 ||
      len <= 0) {
    return Status(StatusCode::kInvalidRecord);
  }
  plaintext.Truncate(static_cast<size_t>(len));
  *out = std::move(plaintext);
  return Status::Ok();
}

}  // namespace pairmint::envelope
