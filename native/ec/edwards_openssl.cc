#include "ec/edwards_openssl.h"

#include <algorithm>

#include "core/openssl.h"
#include "core/words.h"

namespace pairmint::ec {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::ByteSpan;
using core::Failed;
using core::MutableByteSpan;
using core::PkeyPtr;
using core::Status;

using Key = std::array<uint8_t, kEd25519Len>;

constexpr const char *kVerification = "Ed25519 verification";

// 2^252 + 27742317777372353535851937790883648493
constexpr EdwardsScalar kOrder = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0,
                                  0x1000000000000000};
// y = 1, and the generator's y = 4/5.
constexpr Key kNeutral = {1};
constexpr Key kGenerator = {0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};

// A signature (R, S) of a message under the public key A is good if S G = R + h
// A. Where A is the neutral point, that is S G = R, whatever the message is.
bool IsSigned(const EdwardsScalar &scalar, ByteSpan point, bool *out) {
  const PkeyPtr neutral(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr, kNeutral.data(), kNeutral.size()));
  const core::MdCtxPtr ctx(EVP_MD_CTX_new());
  std::array<uint8_t, 2 * kEd25519Len> signature;
  std::copy(point.begin(), point.end(), signature.begin());
  for (size_t i = 0; i < kEd25519Len; i++) {
    signature[kEd25519Len + i] =
        static_cast<uint8_t>(scalar[i / 8] >> (8 * (i % 8)));
  }
  if (neutral == nullptr || ctx == nullptr ||
      EVP_DigestVerifyInit(ctx.get(), nullptr, nullptr, nullptr,
                           neutral.get()) != 1) {
    return false;
  }
  *out = EVP_DigestVerify(ctx.get(), signature.data(), signature.size(),
                          kNeutral.data(), kNeutral.size()) == 1;
  return true;
}

}  // namespace

Status PublicKeyByOpenSsl(ByteSpan seed, MutableByteSpan out) {
  const PkeyPtr pkey(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                                  seed.data(), seed.size()));
  size_t len = out.size();
  if (pkey == nullptr ||
      EVP_PKEY_get_raw_public_key(pkey.get(), out.data(), &len) != 1 ||
      len != out.size()) {
    return Failed(kEd25519Keys);
  }
  return Status::Ok();
}

bool ReduceByOpenSsl(EdwardsScalar *in_out) {
  const BignumPtr number = core::ToBignum(*in_out);
  const BignumPtr order = core::ToBignum(kOrder);
  const BignumPtr rest(BN_secure_new());
  const BnCtxPtr ctx(BN_CTX_secure_new());
  return number != nullptr && order != nullptr && rest != nullptr &&
         ctx != nullptr &&
         BN_mod(rest.get(), number.get(), order.get(), ctx.get()) == 1 &&
         core::ToWords(rest.get(), *in_out);
}

Status CanCompareByOpenSsl(bool *out) {
  bool accepts_right = false;
  bool accepts_wrong = true;
  if (!IsSigned({1}, kGenerator, &accepts_right) ||
      !IsSigned({2}, kGenerator, &accepts_wrong)) {
    return Failed(kVerification);
  }
  *out = accepts_right && !accepts_wrong;
  return Status::Ok();
}

Status CompareByOpenSsl(const EdwardsScalar &scalar, ByteSpan key, bool *same) {
  EdwardsScalar reduced = scalar;
  if (!ReduceByOpenSsl(&reduced) || !IsSigned(reduced, key, same)) {
    return Failed(kVerification);
  }
  return Status::Ok();
}

}  // namespace pairmint::ec
