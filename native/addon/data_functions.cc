// The operations on data: each is one job, entered once per request.
#include <optional>
#include <utility>

#include "addon/functions.h"
#include "addon/job.h"
#include "addon/promised_task.h"
#include "addon/values.h"
#include "core/random.h"
#include "envelope/blob.h"
#include "mint/mint.h"

namespace pairmint::addon {
namespace {

using core::Bytes;
using core::SecretBytes;
using core::Status;
using core::StatusCode;
using envelope::Kind;
using SharedMaterial = std::shared_ptr<const envelope::KeyMaterial>;

class GenerateDataKeyPairTask final : public PromisedTask {
 public:
  GenerateDataKeyPairTask(Napi::Env env, const Napi::Object &args)
      : PromisedTask(env),
        material_(FromHandle<envelope::KeyMaterial>(args.Get("material"))),
        context_(CopyOf(args.Get("context"))),
        plaintext_(args.Get("plaintext").ToBoolean()),
        minting_(mint::Begin(args.Get("spec").As<Napi::String>().Utf8Value(),
                             abort())) {}

  [[nodiscard]] bool Shareable() const override {
    return minting_ != nullptr && minting_->Shareable();
  }

 protected:
  std::optional<Status> Share() override {
    if (minting_ == nullptr) {
      return Status(StatusCode::kInvalidArgument, "unknown key pair spec");
    }
    std::optional<core::KeyPair> pair;
    PAIRMINT_RETURN_IF_ERROR(minting_->Work(&pair));
    return pair ? std::optional(Seal(std::move(*pair))) : std::nullopt;
  }

  Napi::Value Result(Napi::Env env) override {
    Napi::Object out = Napi::Object::New(env);
    out.Set("publicKey", ToUint8Array(env, pair_.public_key));
    out.Set("privateKeyCiphertext", ToUint8Array(env, ciphertext_));
    if (plaintext_) {
      out.Set("privateKeyPlaintext",
              ToUint8Array(env, pair_.private_key.span()));
    }
    return out;
  }

 private:
  Status Seal(core::KeyPair pair) {
    PAIRMINT_RETURN_IF_ERROR(envelope::Seal(*material_, Kind::kPrivateKey,
                                            context_, pair.private_key.span(),
                                            &ciphertext_));
    if (!plaintext_) {
      pair.private_key = SecretBytes();
    }
    pair_ = std::move(pair);
    return Status::Ok();
  }

  SharedMaterial material_;
  Bytes context_;
  bool plaintext_;
  std::unique_ptr<mint::Minting> minting_;
  core::KeyPair pair_;
  Bytes ciphertext_;
};

class GenerateDataKeyJob final : public Job {
 public:
  explicit GenerateDataKeyJob(const Napi::Object &args)
      : material_(FromHandle<envelope::KeyMaterial>(args.Get("material"))),
        key_(args.Get("length").As<Napi::Number>().Uint32Value()),
        context_(CopyOf(args.Get("context"))),
        plaintext_(args.Get("plaintext").ToBoolean()) {}

  Status Run() override {
    PAIRMINT_RETURN_IF_ERROR(core::FillRandom(key_.mutable_span()));
    return envelope::Seal(*material_, Kind::kDataKey, context_, key_.span(),
                          &ciphertext_);
  }

  Napi::Value Result(Napi::Env env) override {
    Napi::Object out = Napi::Object::New(env);
    out.Set("ciphertext", ToUint8Array(env, ciphertext_));
    if (plaintext_) {
      out.Set("plaintext", ToUint8Array(env, key_.span()));
    }
    return out;
  }

 private:
  SharedMaterial material_;
  SecretBytes key_;
  Bytes context_;
  bool plaintext_;
  Bytes ciphertext_;
};

class GenerateRandomJob final : public Job {
 public:
  explicit GenerateRandomJob(size_t len) : bytes_(len) {}

  Status Run() override { return core::FillRandom(bytes_.mutable_span()); }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, bytes_.span());
  }

 private:
  SecretBytes bytes_;
};

class EncryptJob final : public Job {
 public:
  explicit EncryptJob(const Napi::Object &args)
      : material_(FromHandle<envelope::KeyMaterial>(args.Get("material"))),
        context_(CopyOf(args.Get("context"))),
        plaintext_(BytesOf(args.Get("plaintext"))) {}

  Status Run() override {
    return envelope::Seal(*material_, Kind::kData, context_, plaintext_.span(),
                          &ciphertext_);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, ciphertext_);
  }

 private:
  SharedMaterial material_;
  Bytes context_;
  SecretBytes plaintext_;
  Bytes ciphertext_;
};

class DecryptJob final : public Job {
 public:
  explicit DecryptJob(const Napi::Object &args)
      : material_(FromHandle<envelope::KeyMaterial>(args.Get("material"))),
        context_(CopyOf(args.Get("context"))),
        ciphertext_(CopyOf(args.Get("ciphertext"))) {}

  Status Run() override {
    return envelope::Open(*material_, context_, ciphertext_, &plaintext_,
                          nullptr);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, plaintext_.span());
  }

 private:
  SharedMaterial material_;
  Bytes context_;
  Bytes ciphertext_;
  SecretBytes plaintext_;
};

class ReEncryptJob final : public Job {
 public:
  explicit ReEncryptJob(const Napi::Object &args)
      : source_(FromHandle<envelope::KeyMaterial>(args.Get("source"))),
        source_context_(CopyOf(args.Get("sourceContext"))),
        ciphertext_(CopyOf(args.Get("ciphertext"))),
        destination_(
            FromHandle<envelope::KeyMaterial>(args.Get("destination"))),
        destination_context_(CopyOf(args.Get("destinationContext"))) {}

  Status Run() override {
    SecretBytes plaintext;
    Kind kind{};
    PAIRMINT_RETURN_IF_ERROR(envelope::Open(*source_, source_context_,
                                            ciphertext_, &plaintext, &kind));
    return envelope::Seal(*destination_, kind, destination_context_,
                          plaintext.span(), &out_);
  }

  Napi::Value Result(Napi::Env env) override { return ToUint8Array(env, out_); }

 private:
  SharedMaterial source_;
  Bytes source_context_;
  Bytes ciphertext_;
  SharedMaterial destination_;
  Bytes destination_context_;
  Bytes out_;
};

template <typename T>
Napi::Value Here(const Napi::CallbackInfo &info) {
  T job(info[0].As<Napi::Object>());
  return RunHere(info.Env(), job);
}

}  // namespace

Napi::Value GenerateDataKeyPair(const Napi::CallbackInfo &info) {
  auto task = std::make_shared<GenerateDataKeyPairTask>(
      info.Env(), info[0].As<Napi::Object>());
  return Start(std::move(task), info[1]);
}

Napi::Value GenerateDataKey(const Napi::CallbackInfo &info) {
  return Here<GenerateDataKeyJob>(info);
}

Napi::Value GenerateRandom(const Napi::CallbackInfo &info) {
  GenerateRandomJob job(info[0].As<Napi::Number>().Uint32Value());
  return RunHere(info.Env(), job);
}

Napi::Value Encrypt(const Napi::CallbackInfo &info) {
  return Here<EncryptJob>(info);
}

Napi::Value Decrypt(const Napi::CallbackInfo &info) {
  return Here<DecryptJob>(info);
}

Napi::Value ReEncrypt(const Napi::CallbackInfo &info) {
  return Here<ReEncryptJob>(info);
}

}  // namespace pairmint::addon
