// The operations of asymmetric and HMAC KMS keys. What a private key does takes
// milliseconds and is done by the crew; an HMAC is done at once.
#include <optional>
#include <string>
#include <utility>

#include "addon/functions.h"
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
        material_(PrivateKeyMaterial(Member(args, "material"))),
        algorithm_(NameOf(Member(args, "algorithm"))),
        message_type_(NameOf(Member(args, "messageType"))),
        message_(CopyOf(Member(args, "message"))) {}

 protected:
  Status Step() override {
    if (material_ == nullptr) {
      return NotUnderstood();
    }
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
      : material_(
            MaterialOf(Member(args, "material"), envelope::SecretKind::kBytes)),
        algorithm_(NameOf(Member(args, "algorithm"))),
        message_(BytesOf(Member(args, "message"))) {}

  Status Run() override {
    if (material_ == nullptr) {
      return NotUnderstood();
    }
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
      : material_(
            MaterialOf(Member(args, "material"), envelope::SecretKind::kBytes)),
        algorithm_(NameOf(Member(args, "algorithm"))),
        message_(BytesOf(Member(args, "message"))),
        mac_(BytesOf(Member(args, "mac"))) {}

  Status Run() override {
    if (material_ == nullptr) {
      return NotUnderstood();
    }
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
        material_(PrivateKeyMaterial(Member(args, "material"))),
        public_key_(CopyOf(Member(args, "publicKey"))) {}

 protected:
  Status Step() override {
    if (material_ == nullptr) {
      return NotUnderstood();
    }
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
        material_(PrivateKeyMaterial(Member(args, "material"))),
        algorithm_(NameOf(Member(args, "algorithm"))),
        ciphertext_(CopyOf(Member(args, "ciphertext"))) {}

 protected:
  Status Step() override {
    if (material_ == nullptr) {
      return NotUnderstood();
    }
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

// One side of a re-encryption, symmetric or not.
class Side {
 public:
  explicit Side(const Napi::Value &side)
      : algorithm_(NameOf(Member(side, "algorithm"))),
        material_(symmetric() ? SealingMaterial(Member(side, "material"))
                              : PrivateKeyMaterial(Member(side, "material"))),
        public_key_(CopyOf(Member(side, "publicKey"))),
        context_(CopyOf(Member(side, "context"))) {}

  Status Open(ByteSpan ciphertext, SecretBytes *out, Kind *kind) const {
    if (material_ == nullptr) {
      return NotUnderstood();
    }
    if (symmetric()) {
      return envelope::Open(*material_, context_, ciphertext, out, kind);
    }
    *kind = Kind::kData;
    return keys::DecryptWith(material_->secret.span(), algorithm_, ciphertext,
                             out);
  }

  Status Seal(Kind kind, ByteSpan plaintext, Bytes *out) const {
    if (!symmetric()) {
      return keys::EncryptFor(public_key_, algorithm_, plaintext, out);
    }
    if (material_ == nullptr) {
      return NotUnderstood();
    }
    return envelope::Seal(*material_, kind, context_, plaintext, out);
  }

 private:
  [[nodiscard]] bool symmetric() const {
    return algorithm_ == "SYMMETRIC_DEFAULT";
  }

  std::string algorithm_;
  SharedMaterial material_;
  Bytes public_key_;
  Bytes context_;
};

class ReEncryptAcrossTask final : public StepTask {
 public:
  ReEncryptAcrossTask(Napi::Env env, const Napi::Value &args)
      : StepTask(env, args),
        source_(Member(args, "source")),
        ciphertext_(CopyOf(Member(args, "ciphertext"))),
        destination_(Member(args, "destination")) {}

 protected:
  Status Step() override {
    SecretBytes plaintext;
    Kind kind{};
    PAIRMINT_RETURN_IF_ERROR(source_.Open(ciphertext_, &plaintext, &kind));
    return destination_.Seal(kind, plaintext.span(), &out_);
  }

  Napi::Value Result(Napi::Env env) override { return ToUint8Array(env, out_); }

 private:
  Side source_;
  Bytes ciphertext_;
  Side destination_;
  Bytes out_;
};

}  // namespace

Napi::Value Sign(const Napi::CallbackInfo &info) {
  return ByCrew<SignTask>(info);
}

Napi::Value Verify(const Napi::CallbackInfo &info) {
  return ByCrew<VerifyTask>(info);
}

Napi::Value GenerateMac(const Napi::CallbackInfo &info) {
  return Here<GenerateMacJob>(info);
}

Napi::Value VerifyMac(const Napi::CallbackInfo &info) {
  return Here<VerifyMacJob>(info);
}

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

Napi::Value DeriveSharedSecret(const Napi::CallbackInfo &info) {
  return ByCrew<DeriveSharedSecretTask>(info);
}

Napi::Value EncryptWithPublicKey(const Napi::CallbackInfo &info) {
  return ByCrew<EncryptWithPublicKeyTask>(info);
}

Napi::Value DecryptWithPrivateKey(const Napi::CallbackInfo &info) {
  return ByCrew<DecryptWithPrivateKeyTask>(info);
}

Napi::Value ReEncryptAcross(const Napi::CallbackInfo &info) {
  return ByCrew<ReEncryptAcrossTask>(info);
}

}  // namespace pairmint::addon
