// Data keys and the operations on data: each is one job, and several data keys
// are made in one crossing.
#include "addon/exports.h"
#include "addon/job.h"
#include "addon/materials.h"
#include "addon/values.h"
#include "core/random.h"
#include "envelope/blob.h"

namespace pairmint::addon {
namespace {

using core::Bytes;
using core::ByteSpan;
using core::SecretBytes;
using core::Status;
using envelope::Kind;

class GenerateDataKeyJob final : public PartJob {
 public:
  explicit GenerateDataKeyJob(const Napi::Value &args)
      : material_(SealingMaterial(Member(args, "material"), refusal())),
        key_(NumberOf(Member(args, "length"))),
        context_(BytesOf(Member(args, "context"))),
        plaintext_(FlagOf(Member(args, "plaintext"))) {}

  Status Run() override {
    return envelope::SealFresh(*material_, Kind::kDataKey, context_, &key_,
                               &ciphertext_);
  }

  [[nodiscard]] Parts parts() const override {
    return {ciphertext_, plaintext_ ? key_.span() : ByteSpan()};
  }

 private:
  SharedMaterial material_;
  SecretBytes key_;
  ByteSpan context_;
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
  explicit EncryptJob(const Napi::Value &args)
      : material_(SealingMaterial(Member(args, "material"), refusal())),
        context_(BytesOf(Member(args, "context"))),
        plaintext_(BytesOf(Member(args, "plaintext"))) {}

  Status Run() override {
    return envelope::Seal(*material_, Kind::kData, context_, plaintext_.span(),
                          &ciphertext_);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, ciphertext_);
  }

 private:
  SharedMaterial material_;
  ByteSpan context_;
  SecretBytes plaintext_;
  Bytes ciphertext_;
};

class DecryptJob final : public Job {
 public:
  explicit DecryptJob(const Napi::Value &args)
      : material_(SealingMaterial(Member(args, "material"), refusal())),
        context_(BytesOf(Member(args, "context"))),
        ciphertext_(CopyOf(Member(args, "ciphertext"))) {}

  Status Run() override {
    return envelope::Open(*material_, context_, ciphertext_, &plaintext_,
                          nullptr);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, plaintext_.span());
  }

 private:
  SharedMaterial material_;
  ByteSpan context_;
  Bytes ciphertext_;
  SecretBytes plaintext_;
};

class ReEncryptJob final : public Job {
 public:
  explicit ReEncryptJob(const Napi::Value &args)
      : source_(SealingMaterial(Member(args, "source"), refusal())),
        source_context_(BytesOf(Member(args, "sourceContext"))),
        ciphertext_(CopyOf(Member(args, "ciphertext"))),
        destination_(SealingMaterial(Member(args, "destination"), refusal())),
        destination_context_(BytesOf(Member(args, "destinationContext"))) {}

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
  ByteSpan source_context_;
  Bytes ciphertext_;
  SharedMaterial destination_;
  ByteSpan destination_context_;
  Bytes out_;
};

Napi::Value GenerateDataKeys(const Napi::CallbackInfo &info) {
  const std::vector<Napi::Value> args = ElementsOf(info[0]);
  return AllHere<GenerateDataKeyJob>(info.Env(), args);
}

Napi::Value GenerateRandom(const Napi::CallbackInfo &info) {
  GenerateRandomJob job(NumberOf(info[0]));
  return RunHere(info.Env(), job);
}

constexpr Export kExports[] = {
    {"generateDataKeys", GenerateDataKeys}, {"generateRandom", GenerateRandom},
    {"encrypt", Here<EncryptJob>},          {"decrypt", Here<DecryptJob>},
    {"reEncrypt", Here<ReEncryptJob>},
};

}  // namespace

std::span<const Export> DataFunctions() { return kExports; }

}  // namespace pairmint::addon
