#include "ec/ed25519.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "core/random.h"
#include "ec/edwards.h"
#include "ec/lot.h"

namespace pairmint::ec {
namespace {

using core::AbortFlag;
using core::ByteSpan;
using core::KeyPair;
using core::MutableByteSpan;
using core::SecretBytes;
using core::Status;

// Everything in front of the key: AlgorithmIdentifier { 1.3.101.112 }, no
// parameters (RFC 8410 section 3).
constexpr std::array<uint8_t, 12> kPublicPrefix = {
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::array<uint8_t, 16> kPrivatePrefix = {
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

// Making the tables of the lanes and comparing them with OpenSSL takes as long
// as so many of OpenSSL's keys do: a process that mints fewer must not pay for
// them.
constexpr size_t kFirst = 256;
std::atomic<size_t> num_minted{0};

void Write(ByteSpan seed, ByteSpan key, KeyPair *out) {
  core::Bytes public_key(kPublicPrefix.begin(), kPublicPrefix.end());
  public_key.insert(public_key.end(), key.begin(), key.end());
  SecretBytes private_key(kPrivatePrefix.size() + kEd25519Len);
  std::copy(kPrivatePrefix.begin(), kPrivatePrefix.end(), private_key.data());
  std::copy(seed.begin(), seed.end(),
            private_key.data() + kPrivatePrefix.size());
  out->public_key = std::move(public_key);
  out->private_key = std::move(private_key);
}

bool HadEnough() {
  return num_minted.load(std::memory_order_relaxed) >= kFirst;
}

Status PublicKeys(const AbortFlag &abort, bool may_set_up, ByteSpan seeds,
                  MutableByteSpan out) {
  const size_t count = seeds.size() / kEd25519Len;
  if (HadEnough() && (may_set_up || IsEd25519Settled())) {
    bool verified = false;
    PAIRMINT_RETURN_IF_ERROR(CheckAbort(abort));
    PAIRMINT_RETURN_IF_ERROR(PublicKeysByLanes(seeds, out, &verified));
    if (verified) {
      return Status::Ok();
    }
  } else {
    num_minted.fetch_add(count, std::memory_order_relaxed);
  }
  for (size_t i = 0; i < count; i++) {
    PAIRMINT_RETURN_IF_ERROR(
        PublicKeyByOpenSsl(seeds.subspan(i * kEd25519Len, kEd25519Len),
                           out.subspan(i * kEd25519Len, kEd25519Len)));
  }
  return Status::Ok();
}

Status MintLot(const AbortFlag &abort, bool may_set_up,
               std::span<KeyPair> out) {
  SecretBytes seeds(out.size() * kEd25519Len);
  std::array<uint8_t, kMaxEdwardsLot * kEd25519Len> keys;
  for (size_t i = 0; i < out.size(); i++) {
    PAIRMINT_RETURN_IF_ERROR(core::FillRandom(
        seeds.mutable_span().subspan(i * kEd25519Len, kEd25519Len)));
  }
  PAIRMINT_RETURN_IF_ERROR(
      PublicKeys(abort, may_set_up, seeds.span(),
                 MutableByteSpan(keys).first(seeds.size())));
  for (size_t i = 0; i < out.size(); i++) {
    Write(seeds.span().subspan(i * kEd25519Len, kEd25519Len),
          ByteSpan(keys).subspan(i * kEd25519Len, kEd25519Len), &out[i]);
  }
  return Status::Ok();
}

}  // namespace

Status EncodeEd25519(ByteSpan seed, KeyPair *out) {
  std::array<uint8_t, kEd25519Len> key;
  PAIRMINT_RETURN_IF_ERROR(PublicKeyByOpenSsl(seed, key));
  Write(seed, key, out);
  return Status::Ok();
}

Status MintSeveralEd25519(const AbortFlag &abort, bool may_set_up,
                          std::span<KeyPair> out) {
  // In lots of much the same size; fewer than kMinLot one by one.
  const size_t num_lots =
      out.size() < kMinLot ? out.size()
                           : (out.size() + kMaxEdwardsLot - 1) / kMaxEdwardsLot;
  for (size_t i = 0; i < num_lots; i++) {
    const size_t begin = out.size() * i / num_lots;
    const size_t end = out.size() * (i + 1) / num_lots;
    PAIRMINT_RETURN_IF_ERROR(
        MintLot(abort, may_set_up, out.subspan(begin, end - begin)));
  }
  return Status::Ok();
}

Status MintEd25519(const AbortFlag &abort, KeyPair *out) {
  return MintLot(abort, true, std::span(out, 1));
}

bool IsEd25519Quick() { return !HadEnough() || IsEd25519Settled(); }

#if defined(PAIRMINT_TESTING)
void UseLanesForTest(bool use) { num_minted = use ? kFirst : 0; }
#endif

}  // namespace pairmint::ec
