#include "keys/sign.h"

#include <openssl/core_names.h>

#include <array>
#include <atomic>
#include <optional>
#include <string>

#include "core/openssl.h"
#include "keys/key_parts.h"
#include "keys/newer.h"
#include "keys/params.h"

namespace pairmint::keys {
namespace {

using core::Bytes;
using core::ByteSpan;
using core::Failed;
using core::MdCtxPtr;
using core::PkeyCtxPtr;
using core::Status;
using core::StatusCode;

// How a message of some type is signed.
enum class Way {
  kRefused,
  kHashed,   // hashed here, then as kDigest
  kDigest,   // as it is, after a check of its length
  kMessage,  // whole, by an algorithm that hashes more than the message
};

// By message type.
struct Ways {
  Way raw, digest, external_mu;
};

constexpr Ways kHashing = {Way::kHashed, Way::kDigest, Way::kRefused};

struct Algorithm {
  std::string_view name;
  Family family;
  // nullptr if the type of key has only one.
  const char *digest;
  // Of a digest, or of ML-DSA's message representative mu.
  size_t digest_len;
  const char *padding;  // RSA's
  Ways ways;
};

constexpr const char *kPss = OSSL_PKEY_RSA_PAD_MODE_PSS;
constexpr const char *kPkcs1 = OSSL_PKEY_RSA_PAD_MODE_PKCSV15;

constexpr std::array<Algorithm, 13> kAlgorithms = {{
    {"RSASSA_PSS_SHA_256", Family::kRsa, "SHA256", 32, kPss, kHashing},
    {"RSASSA_PSS_SHA_384", Family::kRsa, "SHA384", 48, kPss, kHashing},
    {"RSASSA_PSS_SHA_512", Family::kRsa, "SHA512", 64, kPss, kHashing},
    {"RSASSA_PKCS1_V1_5_SHA_256", Family::kRsa, "SHA256", 32, kPkcs1, kHashing},
    {"RSASSA_PKCS1_V1_5_SHA_384", Family::kRsa, "SHA384", 48, kPkcs1, kHashing},
    {"RSASSA_PKCS1_V1_5_SHA_512", Family::kRsa, "SHA512", 64, kPkcs1, kHashing},
    {"ECDSA_SHA_256", Family::kEc, "SHA256", 32, nullptr, kHashing},
    {"ECDSA_SHA_384", Family::kEc, "SHA384", 48, nullptr, kHashing},
    {"ECDSA_SHA_512", Family::kEc, "SHA512", 64, nullptr, kHashing},
    // Hashes the identity of the signer in front of the message.
    {"SM2DSA",
     Family::kSm2,
     "SM3",
     32,
     nullptr,
     {Way::kMessage, Way::kDigest, Way::kRefused}},
    {"ED25519_SHA_512",
     Family::kEd25519,
     nullptr,
     0,
     nullptr,
     {Way::kMessage, Way::kRefused, Way::kRefused}},
    {"ED25519_PH_SHA_512",
     Family::kEd25519,
     nullptr,
     64,
     nullptr,
     {Way::kRefused, Way::kDigest, Way::kRefused}},
    {"ML_DSA_SHAKE_256",
     Family::kMlDsa,
     nullptr,
     64,
     nullptr,
     {Way::kMessage, Way::kRefused, Way::kMessage}},
}};

constexpr std::string_view kRaw = "RAW";
constexpr std::string_view kDigest = "DIGEST";
constexpr std::string_view kExternalMu = "EXTERNAL_MU";

// The distinguishing identifier that KMS uses (GM/T 0009, section 10).
constexpr std::array<uint8_t, 16> kSm2Id = {'1', '2', '3', '4', '5', '6',
                                            '7', '8', '1', '2', '3', '4',
                                            '5', '6', '7', '8'};
// "mu" is in the headers of OpenSSL 3.5.
constexpr const char *kMlDsaMu = "mu";

#if defined(PAIRMINT_TESTING)
std::atomic<bool> spoil_signatures{false};

void Spoil(Bytes *signature) {
  if (spoil_signatures.load()) {
    signature->back() ^= 1;
  }
}
#else
void Spoil(Bytes * /*signature*/) {}
#endif

Status Refused(std::string why) {
  return Status(StatusCode::kInvalidArgument, std::move(why));
}

Way WayOf(const Algorithm &algorithm, std::string_view message_type) {
  if (message_type == kRaw) {
    return algorithm.ways.raw;
  }
  if (message_type == kDigest) {
    return algorithm.ways.digest;
  }
  return message_type == kExternalMu ? algorithm.ways.external_mu
                                     : Way::kRefused;
}

// Whether one signature that a fault spoilt is enough to compute the private
// key: of RSA by the Chinese remainder theorem (Boneh, DeMillo and Lipton), and
// of Ed25519, which uses its nonce again for the same message. The others draw
// a new one each time, and verifying would double what they cost.
bool FaultsBetrayKey(Family family) {
  return family == Family::kRsa || family == Family::kEd25519;
}

const Algorithm *FindAlgorithm(std::string_view name) {
  for (const Algorithm &algorithm : kAlgorithms) {
    if (algorithm.name == name) {
      return &algorithm;
    }
  }
  return nullptr;
}

// One signing or verification.
class Operation {
 public:
  Operation() = default;
  ~Operation() = default;
  Operation(const Operation &) = delete;
  Operation &operator=(const Operation &) = delete;

  // Checks that everything fits and takes `key`.
  Status Prepare(OpenedKey key, std::string_view algorithm,
                 std::string_view message_type, ByteSpan message);

  Status Sign(Bytes *out) const;
  Status Verify(ByteSpan signature, bool *valid) const;

 private:
  Status HashMessage();
  // Contexts to sign with, or to verify with; nullptr if OpenSSL refuses.
  [[nodiscard]] PkeyCtxPtr BeginOnDigest(bool signing) const;
  [[nodiscard]] MdCtxPtr BeginOnMessage(bool signing) const;

  OpenedKey key_;
  const Algorithm *algorithm_ = nullptr;
  bool whole_message_ = false;
  // Whether what is signed is ML-DSA's mu.
  bool is_mu_ = false;
  ByteSpan signed_bytes_;
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest_;
};

Status Operation::Prepare(OpenedKey key, std::string_view algorithm,
                          std::string_view message_type, ByteSpan message) {
  algorithm_ = FindAlgorithm(algorithm);
  if (algorithm_ == nullptr || algorithm_->family != key.spec->family) {
    return Refused("the key is not for this signing algorithm");
  }
  const Way way = WayOf(*algorithm_, message_type);
  if (way == Way::kRefused) {
    return Refused("the signing algorithm is not for this message type");
  }
  is_mu_ = message_type == kExternalMu;
  if ((way == Way::kDigest || is_mu_) &&
      message.size() != algorithm_->digest_len) {
    return Refused("Digest is invalid length for algorithm " +
                   std::string(algorithm) + ".");
  }
  key_ = std::move(key);
  whole_message_ = way == Way::kMessage;
  signed_bytes_ = message;
  return way == Way::kHashed ? HashMessage() : Status::Ok();
}

Status Operation::HashMessage() {
  size_t len = 0;
  if (EVP_Q_digest(nullptr, algorithm_->digest, nullptr, signed_bytes_.data(),
                   signed_bytes_.size(), digest_.data(), &len) != 1) {
    return Failed("signing");
  }
  signed_bytes_ = ByteSpan(digest_).first(len);
  return Status::Ok();
}

MdCtxPtr Operation::BeginOnMessage(bool signing) const {
  MdCtxPtr ctx(EVP_MD_CTX_new());
  const auto init = signing ? EVP_DigestSignInit_ex : EVP_DigestVerifyInit_ex;
  EVP_PKEY_CTX *pkey_ctx = nullptr;  // belongs to ctx
  if (ctx == nullptr || init(ctx.get(), &pkey_ctx, algorithm_->digest, nullptr,
                             nullptr, key_.pkey.get(), nullptr) != 1) {
    return nullptr;
  }
  Params params;
  int is_mu = is_mu_ ? 1 : 0;
  if (algorithm_->family == Family::kSm2) {
    params.Octets(OSSL_PKEY_PARAM_DIST_ID, kSm2Id);
  }
  if (is_mu_) {
    params.Int(kMlDsaMu, &is_mu);
  }
  // Not with the initialisation, where OpenSSL 3.0 refuses the identifier.
  const bool set =
      params.empty() || EVP_PKEY_CTX_set_params(pkey_ctx, params.list()) == 1;
  return set ? std::move(ctx) : nullptr;
}

PkeyCtxPtr Operation::BeginOnDigest(bool signing) const {
  PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.pkey.get(), nullptr));
  if (ctx == nullptr) {
    return nullptr;
  }
  int begun = 0;
  if (algorithm_->family == Family::kEd25519) {
    const Ed25519Ph &ph = *FindEd25519Ph();
    const Ed25519Ph::Init init = signing ? ph.sign_init : ph.verify_init;
    begun = init(ctx.get(), ph.algorithm, nullptr);
  } else {
    Params params;
    params.Text(OSSL_SIGNATURE_PARAM_DIGEST, algorithm_->digest);
    if (algorithm_->padding != nullptr) {
      params.Text(OSSL_SIGNATURE_PARAM_PAD_MODE, algorithm_->padding);
    }
    if (algorithm_->padding == kPss) {
      params.Text(OSSL_SIGNATURE_PARAM_PSS_SALTLEN,
                  OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST);
    }
    begun = signing ? EVP_PKEY_sign_init_ex(ctx.get(), params.list())
                    : EVP_PKEY_verify_init_ex(ctx.get(), params.list());
  }
  return begun == 1 ? std::move(ctx) : nullptr;
}

Status Operation::Sign(Bytes *out) const {
  size_t len = static_cast<size_t>(EVP_PKEY_get_size(key_.pkey.get()));
  Bytes signature(len);
  bool good = false;
  if (whole_message_) {
    const MdCtxPtr ctx = BeginOnMessage(/*signing=*/true);
    good = ctx != nullptr &&
           EVP_DigestSign(ctx.get(), signature.data(), &len,
                          signed_bytes_.data(), signed_bytes_.size()) == 1;
  } else {
    const PkeyCtxPtr ctx = BeginOnDigest(/*signing=*/true);
    good = ctx != nullptr &&
           EVP_PKEY_sign(ctx.get(), signature.data(), &len,
                         signed_bytes_.data(), signed_bytes_.size()) == 1;
  }
  if (!good) {
    return Failed("signing");
  }
  signature.resize(len);
  Spoil(&signature);
  if (FaultsBetrayKey(algorithm_->family)) {
    bool valid = false;
    PAIRMINT_RETURN_IF_ERROR(Verify(signature, &valid));
    if (!valid) {
      return Status(StatusCode::kInternal, "a signature came out wrong");
    }
  }
  *out = std::move(signature);
  return Status::Ok();
}

Status Operation::Verify(ByteSpan signature, bool *valid) const {
  if (whole_message_) {
    const MdCtxPtr ctx = BeginOnMessage(/*signing=*/false);
    if (ctx == nullptr) {
      return Failed("signing");
    }
    *valid = EVP_DigestVerify(ctx.get(), signature.data(), signature.size(),
                              signed_bytes_.data(), signed_bytes_.size()) == 1;
    return Status::Ok();
  }
  // RFC 8017, 8.1.2, step 1. OpenSSL takes a PSS signature that has lost its
  // leading zeros, so that one message would have two.
  if (algorithm_->family == Family::kRsa &&
      signature.size() !=
          static_cast<size_t>(EVP_PKEY_get_size(key_.pkey.get()))) {
    *valid = false;
    return Status::Ok();
  }
  const PkeyCtxPtr ctx = BeginOnDigest(/*signing=*/false);
  if (ctx == nullptr) {
    return Failed("signing");
  }
  *valid = EVP_PKEY_verify(ctx.get(), signature.data(), signature.size(),
                           signed_bytes_.data(), signed_bytes_.size()) == 1;
  return Status::Ok();
}

// Says so before OpenSSL fails for want of an algorithm.
Status CheckSupport(std::string_view algorithm) {
  if (algorithm == "ED25519_PH_SHA_512" && FindEd25519Ph() == nullptr) {
    return Status(StatusCode::kUnsupported,
                  "ED25519_PH_SHA_512 needs Node.js with OpenSSL 3.4 or later");
  }
  return Status::Ok();
}

}  // namespace

#if defined(PAIRMINT_TESTING)
void SpoilSignatures(bool spoil) { spoil_signatures.store(spoil); }
#endif

Status Sign(ByteSpan pkcs8, std::string_view algorithm,
            std::string_view message_type, ByteSpan message, Bytes *out) {
  OpenedKey key;
  Operation operation;
  PAIRMINT_RETURN_IF_ERROR(CheckSupport(algorithm));
  PAIRMINT_RETURN_IF_ERROR(OpenPrivateKey(pkcs8, &key));
  PAIRMINT_RETURN_IF_ERROR(
      operation.Prepare(std::move(key), algorithm, message_type, message));
  return operation.Sign(out);
}

Status Verify(ByteSpan spki, std::string_view algorithm,
              std::string_view message_type, ByteSpan message,
              ByteSpan signature, bool *valid) {
  OpenedKey key;
  Operation operation;
  PAIRMINT_RETURN_IF_ERROR(CheckSupport(algorithm));
  PAIRMINT_RETURN_IF_ERROR(OpenPublicKey(spki, &key));
  PAIRMINT_RETURN_IF_ERROR(
      operation.Prepare(std::move(key), algorithm, message_type, message));
  return operation.Verify(signature, valid);
}

}  // namespace pairmint::keys
