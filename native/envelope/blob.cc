#include "envelope/blob.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "core/random.h"
#include "core/sha256.h"
#include "envelope/kdf.h"

namespace pairmint::envelope {
namespace {

using core::Bytes;
using core::ByteSpan;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

constexpr std::array<uint8_t, 5> kMagicVersionSuite = {'D', 'K', 'P', 1, 1};
constexpr size_t kKindAt = 5;
constexpr size_t kReservedAt = 6;
constexpr size_t kKeyIdAt = 8;
constexpr size_t kMaterialIdAt = 24;
constexpr size_t kNonceAt = 56;
constexpr size_t kIvAt = 88;

Freshness FreshnessOf(ByteSpan drawn) {
  Freshness freshness;
  std::copy_n(drawn.begin(), kNonceLen, freshness.nonce.begin());
  std::copy_n(drawn.begin() + kNonceLen, kGcmIvLen, freshness.iv.begin());
  return freshness;
}

template <typename Part>
void Put(Bytes *out, size_t at, const Part &part) {
  std::copy(part.begin(), part.end(),
            out->begin() + static_cast<Bytes::difference_type>(at));
}

// The keys of one message: docs/envelope.md section 3.
struct MessageKeys {
  Bytes aad;
  SecretBytes encryption_and_commitment{kAesKeyLen + kCommitmentLen};

  [[nodiscard]] ByteSpan encryption() const {
    return encryption_and_commitment.span().first(kAesKeyLen);
  }
  [[nodiscard]] ByteSpan commitment() const {
    return encryption_and_commitment.span().last(kCommitmentLen);
  }
};

Status DeriveMessageKeys(const KeyMaterial &material, ByteSpan header,
                         ByteSpan context, MessageKeys *out) {
  out->aad.reserve(header.size() + context.size());
  out->aad.insert(out->aad.end(), header.begin(), header.end());
  out->aad.insert(out->aad.end(), context.begin(), context.end());
  core::Sha256Digest digest;
  if (!core::Sha256({out->aad}, &digest)) {
    return Status(StatusCode::kInternal, "SHA-256 failed");
  }
  return DeriveKey(material.secret.span(), "DKP1 AES-256-GCM", digest,
                   out->encryption_and_commitment.mutable_span());
}

bool Equal(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// Step 1 of opening: everything that can be refused without a key.
bool WellFormed(ByteSpan blob) {
  return blob.size() >= kOverhead && blob.size() <= kMaxBlobLen &&
         Equal(blob.first(kMagicVersionSuite.size()), kMagicVersionSuite) &&
         blob[kKindAt] >= static_cast<uint8_t>(Kind::kData) &&
         blob[kKindAt] <= static_cast<uint8_t>(Kind::kPrivateKey) &&
         blob[kReservedAt] == 0 && blob[kReservedAt + 1] == 0;
}

}  // namespace

Status SealWith(const Freshness &freshness, const KeyMaterial &material,
                Kind kind, ByteSpan context, ByteSpan plaintext, Bytes *out) {
  if (plaintext.size() > kMaxPlaintextLen) {
    return Status(StatusCode::kInvalidArgument,
                  "the plaintext is too long to seal");
  }
  Bytes blob(kOverhead + plaintext.size());
  Put(&blob, 0, kMagicVersionSuite);
  blob[kKindAt] = static_cast<uint8_t>(kind);
  Put(&blob, kKeyIdAt, material.key_id);
  Put(&blob, kMaterialIdAt, material.id);
  Put(&blob, kNonceAt, freshness.nonce);
  Put(&blob, kIvAt, freshness.iv);
  MessageKeys keys;
  PAIRMINT_RETURN_IF_ERROR(DeriveMessageKeys(
      material, ByteSpan(blob).first(kHeaderLen), context, &keys));
  Put(&blob, kHeaderLen, keys.commitment());
  PAIRMINT_RETURN_IF_ERROR(GcmSeal(
      keys.encryption(), freshness.iv, keys.aad, plaintext,
      core::MutableByteSpan(blob).subspan(kHeaderLen + kCommitmentLen)));
  *out = std::move(blob);
  return Status::Ok();
}

// Randomness is drawn at once: a draw takes longer than its bytes do.

Status Seal(const KeyMaterial &material, Kind kind, ByteSpan context,
            ByteSpan plaintext, Bytes *out) {
  std::array<uint8_t, kFreshnessLen> drawn;
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(drawn));
  return SealWith(FreshnessOf(drawn), material, kind, context, plaintext, out);
}

Status SealFresh(const KeyMaterial &material, Kind kind, ByteSpan context,
                 SecretBytes *secret, Bytes *out) {
  SecretBytes drawn(kFreshnessLen + secret->size());
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(drawn.mutable_span()));
  const ByteSpan made = drawn.span().subspan(kFreshnessLen);
  PAIRMINT_RETURN_IF_ERROR(
      SealWith(FreshnessOf(drawn.span()), material, kind, context, made, out));
  std::copy(made.begin(), made.end(), secret->data());
  return Status::Ok();
}

Status Open(const KeyMaterial &material, ByteSpan context, ByteSpan blob,
            SecretBytes *out, Kind *kind) {
  if (!WellFormed(blob) ||
      !Equal(blob.subspan(kKeyIdAt, kKeyIdLen), material.key_id) ||
      !Equal(blob.subspan(kMaterialIdAt, kMaterialIdLen), material.id)) {
    return Status(StatusCode::kInvalidCiphertext);
  }
  MessageKeys keys;
  PAIRMINT_RETURN_IF_ERROR(
      DeriveMessageKeys(material, blob.first(kHeaderLen), context, &keys));
  // Before any GCM work: a wrong context or material is found here, and GCM
  // itself, which does not commit to its key, never sees it.
  if (!Equal(blob.subspan(kHeaderLen, kCommitmentLen), keys.commitment())) {
    return Status(StatusCode::kInvalidCiphertext);
  }
  PAIRMINT_RETURN_IF_ERROR(
      GcmOpen(keys.encryption(), blob.subspan(kIvAt, kGcmIvLen), keys.aad,
              blob.subspan(kHeaderLen + kCommitmentLen), out));
  if (kind != nullptr) {
    *kind = static_cast<Kind>(blob[kKindAt]);
  }
  return Status::Ok();
}

}  // namespace pairmint::envelope
