// The operations of asymmetric and HMAC KMS keys. What a private key does takes
// milliseconds and is done by the crew; an HMAC is done at once.
#include <optional>
#include <string>
#include <utility>

#include "addon/exports.h"
#include "addon/job.h"
#include "addon/materials.h"
#include "addon/promised_task.h"
#include "addon/values.h"
#include "envelope/blob.h"
#include "keys/agreement.h"
#include "keys/encryption.h"
#include "keys/mac.h"
#include "keys/request_signature.h"
#include "keys/sign.h"

namespace pairmint::addon {
namespace {

using core::Bytes;
using core::ByteSpan;
using core::SecretBytes;
using core::Status;
using envelope::Kind;

// One step of one thread.
class StepTask : public PromisedTask {
 public:
  StepTask(Napi::Env env, const Napi::Value &args)
      : PromisedTask(env), caller_(TextOf(Member(args, "caller"))) {}

  [[nodiscard]] std::string_view caller() const final { return caller_; }
  [[nodiscard]] crew::Length length() const final {
    return crew::Length::kStep;
  }

 protected:
  virtual Status Step() = 0;

 private:
  std::optional<Status> Share() final { return Step(); }

  std::string caller_;
};

class SignTask final : public StepTask {
 public:
  SignTask(Napi::Env env, const Napi::Value &args)
      : StepTask(env, args),
        material_(PrivateKeyMaterial(Member(args, "material"), refusal())),
        algorithm_(NameOf(Member(args, "algorithm"))),
        message_type_(NameOf(Member(args, "messageType"))),
        message_(CopyOf(Member(args, "message"))) {}

 protected:
  Status Step() override {
    return keys::Sign(material_->secret.span(), algorithm_, message_type_,
                      message_, &signature_);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, signature_);
  }

 private:
  SharedMaterial material_;
  std::string algorithm_;
  std::string message_type_;
  Bytes message_;
  Bytes signature_;
};

class VerifyTask final : public StepTask {
 public:
  VerifyTask(Napi::Env env, const Napi::Value &args)
      : StepTask(env, args),
        public_key_(CopyOf(Member(args, "publicKey"))),
        algorithm_(NameOf(Member(args, "algorithm"))),
        message_type_(NameOf(Member(args, "messageType"))),
        message_(CopyOf(Member(args, "message"))),
        signature_(CopyOf(Member(args, "signature"))) {}

 protected:
  Status Step() override {
    return keys::Verify(public_key_, algorithm_, message_type_, message_,
                        signature_, &valid_);
  }

  Napi::Value Result(Napi::Env env) override { return ToBoolean(env, valid_); }

 private:
  Bytes public_key_;
  std::string algorithm_;
  std::string message_type_;
  Bytes message_;
  Bytes signature_;
  bool valid_ = false;
};

class GenerateMacJob final : public Job {
 public:
  explicit GenerateMacJob(const Napi::Value &args)
      : material_(SecretMaterial(Member(args, "material"), refusal())),
        algorithm_(NameOf(Member(args, "algorithm"))),
        message_(BytesOf(Member(args, "message"))) {}

  Status Run() override {
    return keys::Mac(material_->secret.span(), algorithm_, message_, &mac_);
  }

  Napi::Value Result(Napi::Env env) override { return ToUint8Array(env, mac_); }

 private:
  SharedMaterial material_;
  std::string algorithm_;
  ByteSpan message_;
  Bytes mac_;
};

class VerifyMacJob final : public Job {
 public:
  explicit VerifyMacJob(const Napi::Value &args)
      : material_(SecretMaterial(Member(args, "material"), refusal())),
        algorithm_(NameOf(Member(args, "algorithm"))),
        message_(BytesOf(Member(args, "message"))),
        mac_(BytesOf(Member(args, "mac"))) {}

  Status Run() override {
    return keys::VerifyMac(material_->secret.span(), algorithm_, message_, mac_,
                           &valid_);
  }

  Napi::Value Result(Napi::Env env) override { return ToBoolean(env, valid_); }

 private:
  SharedMaterial material_;
  std::string algorithm_;
  ByteSpan message_;
  ByteSpan mac_;
  bool valid_ = false;
};

class DeriveSharedSecretTask final : public StepTask {
 public:
  DeriveSharedSecretTask(Napi::Env env, const Napi::Value &args)
      : StepTask(env, args),
        material_(PrivateKeyMaterial(Member(args, "material"), refusal())),
        public_key_(CopyOf(Member(args, "publicKey"))) {}

 protected:
  Status Step() override {
    return keys::DeriveSharedSecret(material_->secret.span(), public_key_,
                                    &secret_);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, secret_.span());
  }

 private:
  SharedMaterial material_;
  Bytes public_key_;
  SecretBytes secret_;
};

class EncryptWithPublicKeyTask final : public StepTask {
 public:
  EncryptWithPublicKeyTask(Napi::Env env, const Napi::Value &args)
      : StepTask(env, args),
        public_key_(CopyOf(Member(args, "publicKey"))),
        algorithm_(NameOf(Member(args, "algorithm"))),
        plaintext_(BytesOf(Member(args, "plaintext"))) {}

 protected:
  Status Step() override {
    return keys::EncryptFor(public_key_, algorithm_, plaintext_.span(),
                            &ciphertext_);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, ciphertext_);
  }

 private:
  Bytes public_key_;
  std::string algorithm_;
  SecretBytes plaintext_;
  Bytes ciphertext_;
};

class DecryptWithPrivateKeyTask final : public StepTask {
 public:
  DecryptWithPrivateKeyTask(Napi::Env env, const Napi::Value &args)
      : StepTask(env, args),
        material_(PrivateKeyMaterial(Member(args, "material"), refusal())),
        algorithm_(NameOf(Member(args, "algorithm"))),
        ciphertext_(CopyOf(Member(args, "ciphertext"))) {}

 protected:
  Status Step() override {
    return keys::DecryptWith(material_->secret.span(), algorithm_, ciphertext_,
                             &plaintext_);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, plaintext_.span());
  }

 private:
  SharedMaterial material_;
  std::string algorithm_;
  Bytes ciphertext_;
  SecretBytes plaintext_;
};

bool IsSymmetric(const std::string &algorithm) {
  return algorithm == "SYMMETRIC_DEFAULT";
}

// What a re-encryption opens with, symmetric or not.
class Source {
 public:
  Source(const Napi::Value &side, Status *refusal)
      : algorithm_(NameOf(Member(side, "algorithm"))),
        material_(IsSymmetric(algorithm_)
                      ? SealingMaterial(Member(side, "material"), refusal)
                      : PrivateKeyMaterial(Member(side, "material"), refusal)),
        context_(CopyOf(Member(side, "context"))) {}

  Status Open(ByteSpan ciphertext, SecretBytes *out, Kind *kind) const {
    if (IsSymmetric(algorithm_)) {
      return envelope::Open(*material_, context_, ciphertext, out, kind);
    }
    *kind = Kind::kData;
    return keys::DecryptWith(material_->secret.span(), algorithm_, ciphertext,
                             out);
  }

 private:
  std::string algorithm_;
  SharedMaterial material_;
  Bytes context_;
};

// What it seals with: material, or a public key.
class Target {
 public:
  Target(const Napi::Value &side, Status *refusal)
      : algorithm_(NameOf(Member(side, "algorithm"))),
        material_(IsSymmetric(algorithm_)
                      ? SealingMaterial(Member(side, "material"), refusal)
                      : nullptr),
        public_key_(CopyOf(Member(side, "publicKey"))),
        context_(CopyOf(Member(side, "context"))) {}

  Status Seal(Kind kind, ByteSpan plaintext, Bytes *out) const {
    return material_ != nullptr
               ? envelope::Seal(*material_, kind, context_, plaintext, out)
               : keys::EncryptFor(public_key_, algorithm_, plaintext, out);
  }

 private:
  std::string algorithm_;
  SharedMaterial material_;
  Bytes public_key_;
  Bytes context_;
};

class ReEncryptAcrossTask final : public StepTask {
 public:
  ReEncryptAcrossTask(Napi::Env env, const Napi::Value &args)
      : StepTask(env, args),
        source_(Member(args, "source"), refusal()),
        ciphertext_(CopyOf(Member(args, "ciphertext"))),
        target_(Member(args, "destination"), refusal()) {}

 protected:
  Status Step() override {
    SecretBytes plaintext;
    Kind kind{};
    PAIRMINT_RETURN_IF_ERROR(source_.Open(ciphertext_, &plaintext, &kind));
    return target_.Seal(kind, plaintext.span(), &out_);
  }

  Napi::Value Result(Napi::Env env) override { return ToUint8Array(env, out_); }

 private:
  Source source_;
  Bytes ciphertext_;
  Target target_;
  Bytes out_;
};

Napi::Value VerifyRequest(const Napi::CallbackInfo &info) {
  const Latin1 scope_head(info[1]);
  const Latin1 canonical_head(info[2]);
  const Latin1 signature(info[4]);
  const keys::SignedRequest request = {.canonical_head = canonical_head.span(),
                                       .body = BytesOf(info[3]),
                                       .scope_head = scope_head.span()};
  bool valid = false;
  const Status status =
      keys::VerifyRequest(BytesOf(info[0]), request, signature.span(), &valid);
  return status.ok() ? ToBoolean(info.Env(), valid) : Throw(info.Env(), status);
}

constexpr Export kExports[] = {
    {"sign", ByCrew<SignTask>},
    {"verify", ByCrew<VerifyTask>},
    {"generateMac", Here<GenerateMacJob>},
    {"verifyMac", Here<VerifyMacJob>},
    {"verifyRequest", VerifyRequest},
    {"deriveSharedSecret", ByCrew<DeriveSharedSecretTask>},
    {"encryptWithPublicKey", ByCrew<EncryptWithPublicKeyTask>},
    {"decryptWithPrivateKey", ByCrew<DecryptWithPrivateKeyTask>},
    {"reEncryptAcross", ByCrew<ReEncryptAcrossTask>},
};

}  // namespace

std::span<const Export> AsymmetricFunctions() { return kExports; }

}  // namespace pairmint::addon
