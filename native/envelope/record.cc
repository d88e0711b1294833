#include "envelope/record.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "core/random.h"
#include "envelope/aes.h"
#include "envelope/kdf.h"

namespace pairmint::envelope {
namespace {

using core::Bytes;
using core::ByteSpan;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

constexpr std::array<uint8_t, 4> kMagicVersion = {'D', 'K', 'S', 1};

Status DeriveWrappingKey(ByteSpan root_key, ByteSpan header, SecretBytes *out) {
  std::array<uint8_t, 32> digest;
  if (EVP_Digest(header.data(), header.size(), digest.data(), nullptr,
                 EVP_sha256(), nullptr) != 1) {
    return Status(StatusCode::kInternal, "SHA-256 failed");
  }
  SecretBytes kek(kAesKeyLen);
  PAIRMINT_RETURN_IF_ERROR(
      DeriveKey(root_key, "DKP1 store wrap", digest, kek.mutable_span()));
  *out = std::move(kek);
  return Status::Ok();
}

}  // namespace

Status WrapMaterial(ByteSpan root_key, ByteSpan header, ByteSpan material,
                    Bytes *out) {
  SecretBytes kek;
  PAIRMINT_RETURN_IF_ERROR(DeriveWrappingKey(root_key, header, &kek));
  return KwpWrap(kek.span(), material, out);
}

Status CreateRecord(ByteSpan root_key, const KeyId &key_id, ByteSpan attributes,
                    Record *out) {
  SecretBytes material(kMaterialLen);
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(material.mutable_span()));
  MaterialId id;
  PAIRMINT_RETURN_IF_ERROR(DeriveMaterialId(material.span(), key_id, &id));
  Record record;
  for (const ByteSpan part :
       {ByteSpan(kMagicVersion), ByteSpan(key_id), ByteSpan(id), attributes}) {
    record.header.insert(record.header.end(), part.begin(), part.end());
  }
  PAIRMINT_RETURN_IF_ERROR(
      WrapMaterial(root_key, record.header, material.span(), &record.wrapped));
  *out = std::move(record);
  return Status::Ok();
}

Status OpenRecord(ByteSpan root_key, ByteSpan header, ByteSpan wrapped,
                  KeyMaterial *out) {
  if (header.size() < kRecordPrefixLen ||
      !std::equal(kMagicVersion.begin(), kMagicVersion.end(), header.begin())) {
    return Status(StatusCode::kInvalidRecord);
  }
  KeyMaterial material;
  const ByteSpan key_id = header.subspan(kMagicVersion.size(), kKeyIdLen);
  const ByteSpan id =
      header.subspan(kMagicVersion.size() + kKeyIdLen, kMaterialIdLen);
  std::copy(key_id.begin(), key_id.end(), material.key_id.begin());
  SecretBytes kek;
  PAIRMINT_RETURN_IF_ERROR(DeriveWrappingKey(root_key, header, &kek));
  PAIRMINT_RETURN_IF_ERROR(KwpUnwrap(kek.span(), wrapped, &material.secret));
  // KWP's own check has 64 bits; this one has 256.
  PAIRMINT_RETURN_IF_ERROR(
      DeriveMaterialId(material.secret.span(), material.key_id, &material.id));
  if (CRYPTO_memcmp(material.id.data(), id.data(), id.size()) != 0) {
    return Status(StatusCode::kInvalidRecord);
  }
  *out = std::move(material);
  return Status::Ok();
}

Status StateMac(ByteSpan root_key, const KeyId &key_id, ByteSpan state,
                core::MutableByteSpan out) {
  SecretBytes mac_key(kHmacLen);
  PAIRMINT_RETURN_IF_ERROR(
      DeriveKey(root_key, "DKP1 store mac", key_id, mac_key.mutable_span()));
  return Hmac(mac_key.span(), {state}, out);
}

}  // namespace pairmint::envelope
