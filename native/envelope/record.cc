#include "envelope/record.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "core/sha256.h"
#include "envelope/aes.h"
#include "envelope/kdf.h"

namespace pairmint::envelope {
namespace {

using core::Bytes;
using core::ByteSpan;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

using MagicVersion = std::array<uint8_t, 4>;

constexpr MagicVersion MagicVersionOf(SecretKind kind) {
  return {'D', 'K', static_cast<uint8_t>(kind), 1};
}

bool KindOf(ByteSpan header, SecretKind *out) {
  for (const SecretKind kind : {SecretKind::kBytes, SecretKind::kPrivateKey,
                                SecretKind::kWrappingKey}) {
    const MagicVersion expected = MagicVersionOf(kind);
    if (std::equal(expected.begin(), expected.end(), header.begin())) {
      *out = kind;
      return true;
    }
  }
  return false;
}

Status DeriveWrappingKey(ByteSpan root_key, ByteSpan header, SecretBytes *out) {
  core::Sha256Digest digest;
  if (!core::Sha256({header}, &digest)) {
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

Status CreateRecord(ByteSpan root_key, SecretKind kind, const KeyId &key_id,
                    ByteSpan attributes, ByteSpan secret, Record *out) {
  MaterialId id;
  PAIRMINT_RETURN_IF_ERROR(DeriveMaterialId(secret, key_id, &id));
  const MagicVersion magic_version = MagicVersionOf(kind);
  Record record;
  for (const ByteSpan part :
       {ByteSpan(magic_version), ByteSpan(key_id), ByteSpan(id), attributes}) {
    record.header.insert(record.header.end(), part.begin(), part.end());
  }
  PAIRMINT_RETURN_IF_ERROR(
      WrapMaterial(root_key, record.header, secret, &record.wrapped));
  *out = std::move(record);
  return Status::Ok();
}

Status OpenRecord(ByteSpan root_key, ByteSpan header, ByteSpan wrapped,
                  KeyMaterial *out) {
  KeyMaterial material;
  if (header.size() < kRecordPrefixLen || !KindOf(header, &material.kind)) {
    return Status(StatusCode::kInvalidRecord);
  }
  const ByteSpan prefix =
      header.first(kRecordPrefixLen).subspan(sizeof(MagicVersion));
  const ByteSpan key_id = prefix.first(kKeyIdLen);
  const ByteSpan id = prefix.last(kMaterialIdLen);
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
