#include "keys/encryption.h"

#include <openssl/core_names.h>

#include <algorithm>
#include <array>

#include "core/der.h"
#include "core/openssl.h"
#include "envelope/aes.h"
#include "keys/key_parts.h"
#include "keys/params.h"

namespace pairmint::keys {
namespace {

namespace der = core::der;

using core::Bytes;
using core::ByteSpan;
using core::DerReader;
using core::Failed;
using core::PkeyCtxPtr;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

struct Algorithm {
  std::string_view name;
  Family family;
  const char *padding;  // RSA's
  const char *digest;   // OAEP's
};

constexpr std::array<Algorithm, 3> kAlgorithms = {{
    {"RSAES_OAEP_SHA_1", Family::kRsa, OSSL_PKEY_RSA_PAD_MODE_OAEP, "SHA1"},
    {"RSAES_OAEP_SHA_256", Family::kRsa, OSSL_PKEY_RSA_PAD_MODE_OAEP, "SHA256"},
    {"SM2PKE", Family::kSm2, nullptr, nullptr},
}};

// RSA without padding, under what RSAES_PKCS1_V1_5 is undone.
constexpr Algorithm kRawRsa = {"", Family::kRsa, OSSL_PKEY_RSA_PAD_MODE_NONE,
                               nullptr};

// PKCS #11 3.0, 6.1.17: an AES key under OAEP, and the material under the AES
// key by AES-KWP (RFC 5649).
struct HybridWrapping {
  std::string_view name;
  std::string_view key_algorithm;
};

constexpr std::array<HybridWrapping, 2> kHybridWrappings = {{
    {"RSA_AES_KEY_WRAP_SHA_1", "RSAES_OAEP_SHA_1"},
    {"RSA_AES_KEY_WRAP_SHA_256", "RSAES_OAEP_SHA_256"},
}};

Status NotForThis() {
  return Status(StatusCode::kInvalidArgument,
                "the key is not for this encryption algorithm");
}

const Algorithm *FindAlgorithm(std::string_view name) {
  for (const Algorithm &algorithm : kAlgorithms) {
    if (algorithm.name == name) {
      return &algorithm;
    }
  }
  return nullptr;
}

Params ParamsOf(const Algorithm &algorithm) {
  Params params;
  if (algorithm.padding != nullptr) {
    params.Text(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, algorithm.padding);
  }
  if (algorithm.digest != nullptr) {
    params.Text(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, algorithm.digest)
        .Text(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, algorithm.digest);
  }
  return params;
}

// RFC 8017, 7.1.2, step 1b, and GM/T 0009, 7.2. OpenSSL takes an RSA ciphertext
// that has lost leading zeros, and an SM2 one with something behind it.
bool WellFormed(const Algorithm &algorithm, size_t key_len,
                ByteSpan ciphertext) {
  if (algorithm.family == Family::kRsa) {
    return ciphertext.size() == key_len;
  }
  DerReader der(ciphertext);
  DerReader cipher = der.Inside(der::kSequence);
  cipher.Natural();
  cipher.Natural();
  cipher.Value(der::kOctetString);
  cipher.Value(der::kOctetString);
  return cipher.done() && der.done();
}

Status Decrypt(const OpenedKey &key, const Algorithm &algorithm,
               ByteSpan ciphertext, SecretBytes *out) {
  const PkeyCtxPtr ctx(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key.pkey.get(), nullptr));
  Params params = ParamsOf(algorithm);
  if (ctx == nullptr ||
      EVP_PKEY_decrypt_init_ex(ctx.get(), params.list()) != 1) {
    return Failed("encryption");
  }
  const auto key_len = static_cast<size_t>(EVP_PKEY_get_size(key.pkey.get()));
  if (!WellFormed(algorithm, key_len, ciphertext)) {
    return Status(StatusCode::kInvalidCiphertext);
  }
  // No plaintext is longer than its ciphertext.
  SecretBytes plaintext(std::max(key_len, ciphertext.size()));
  size_t len = plaintext.size();
  if (EVP_PKEY_decrypt(ctx.get(), plaintext.data(), &len, ciphertext.data(),
                       ciphertext.size()) != 1) {
    return Status(StatusCode::kInvalidCiphertext);
  }
  plaintext.Truncate(len);
  *out = std::move(plaintext);
  return Status::Ok();
}

// All ones if a is b, otherwise zero; both below 2^31.
uint32_t MaskIfEqual(uint32_t a, uint32_t b) {
  const uint32_t difference = a ^ b;
  return (difference | (0U - difference)) >> 31 == 0 ? ~0U : 0U;
}

// EME-PKCS1-v1_5 decoding (RFC 8017, 7.2.2) that takes the same steps whatever
// the bytes are, up to the one bit that the answer to an import tells anyway
// (Bleichenbacher). OpenSSL's own, before 3.2, has an error for each way to be
// wrong.
bool RemovePkcs1Padding(ByteSpan encoded, SecretBytes *out) {
  constexpr uint32_t kMinMessageAt = 2 + 8 + 1;
  uint32_t good = MaskIfEqual(encoded[0], 0) & MaskIfEqual(encoded[1], 2);
  uint32_t found = 0;
  uint32_t message_at = 0;
  for (uint32_t i = 2; i < encoded.size(); i++) {
    const uint32_t first_zero = MaskIfEqual(encoded[i], 0) & ~found;
    message_at |= first_zero & (i + 1);
    found |= first_zero;
  }
  const uint32_t too_early = 0U - ((message_at - kMinMessageAt) >> 31);
  good &= found & ~too_early;
  if (good == 0) {
    return false;
  }
  *out = SecretBytes(encoded.subspan(message_at));
  return true;
}

Status UnwrapPkcs1(ByteSpan pkcs8, ByteSpan wrapped, SecretBytes *out) {
  OpenedKey key;
  PAIRMINT_RETURN_IF_ERROR(OpenPrivateKey(pkcs8, &key));
  if (key.spec->family != Family::kRsa) {
    return NotForThis();
  }
  SecretBytes encoded;
  PAIRMINT_RETURN_IF_ERROR(Decrypt(key, kRawRsa, wrapped, &encoded));
  if (!RemovePkcs1Padding(encoded.span(), out)) {
    return Status(StatusCode::kInvalidCiphertext);
  }
  return Status::Ok();
}

Status UnwrapHybrid(ByteSpan pkcs8, const HybridWrapping &wrapping,
                    ByteSpan wrapped, SecretBytes *out) {
  KeyParts parts;
  if (!ReadPrivateKey(pkcs8, &parts) || parts.spec->family != Family::kRsa) {
    return NotForThis();
  }
  const size_t key_len = parts.spec->size / 8;
  if (wrapped.size() < key_len) {
    return Status(StatusCode::kInvalidCiphertext);
  }
  SecretBytes aes_key;
  PAIRMINT_RETURN_IF_ERROR(DecryptWith(pkcs8, wrapping.key_algorithm,
                                       wrapped.first(key_len), &aes_key));
  if (aes_key.size() != envelope::kAesKeyLen ||
      !envelope::KwpUnwrap(aes_key.span(), wrapped.subspan(key_len), out)
           .ok()) {
    return Status(StatusCode::kInvalidCiphertext);
  }
  return Status::Ok();
}

}  // namespace

Status EncryptFor(ByteSpan spki, std::string_view algorithm, ByteSpan plaintext,
                  Bytes *out) {
  OpenedKey key;
  PAIRMINT_RETURN_IF_ERROR(OpenPublicKey(spki, &key));
  const Algorithm *row = FindAlgorithm(algorithm);
  if (row == nullptr || row->family != key.spec->family) {
    return NotForThis();
  }
  const PkeyCtxPtr ctx(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key.pkey.get(), nullptr));
  Params params = ParamsOf(*row);
  size_t len = 0;
  if (ctx == nullptr ||
      EVP_PKEY_encrypt_init_ex(ctx.get(), params.list()) != 1 ||
      EVP_PKEY_encrypt(ctx.get(), nullptr, &len, plaintext.data(),
                       plaintext.size()) != 1) {
    return Failed("encryption");
  }
  Bytes ciphertext(len);
  if (EVP_PKEY_encrypt(ctx.get(), ciphertext.data(), &len, plaintext.data(),
                       plaintext.size()) != 1) {
    return Status(StatusCode::kInvalidArgument,
                  "the plaintext is too long for the key");
  }
  ciphertext.resize(len);
  *out = std::move(ciphertext);
  return Status::Ok();
}

Status DecryptWith(ByteSpan pkcs8, std::string_view algorithm,
                   ByteSpan ciphertext, SecretBytes *out) {
  OpenedKey key;
  PAIRMINT_RETURN_IF_ERROR(OpenPrivateKey(pkcs8, &key));
  const Algorithm *row = FindAlgorithm(algorithm);
  if (row == nullptr || row->family != key.spec->family) {
    return NotForThis();
  }
  return Decrypt(key, *row, ciphertext, out);
}

Status Unwrap(ByteSpan pkcs8, std::string_view algorithm, ByteSpan wrapped,
              SecretBytes *out) {
  if (algorithm == kPkcs1Wrapping) {
    return UnwrapPkcs1(pkcs8, wrapped, out);
  }
  for (const HybridWrapping &wrapping : kHybridWrappings) {
    if (wrapping.name == algorithm) {
      return UnwrapHybrid(pkcs8, wrapping, wrapped, out);
    }
  }
  return DecryptWith(pkcs8, algorithm, wrapped, out);
}

}  // namespace pairmint::keys
