// The operations on data: each is one job, entered once per request.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon/functions.h"
#include "addon/job.h"
#include "addon/materials.h"
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
using envelope::Kind;

// What a pair's private key is sealed with, and whether it is given in the
// clear as well.
struct Sealing {
  explicit Sealing(const Napi::Value &args)
      : material(SealingMaterial(Member(args, "material"))),
        context(CopyOf(Member(args, "context"))),
        plaintext(FlagOf(Member(args, "plaintext"))) {}

  SharedMaterial material;
  Bytes context;
  bool plaintext;
};

struct SealedPair {
  Bytes public_key;
  Bytes ciphertext;
  SecretBytes plaintext;  // empty unless it was asked for
};

Status Seal(const Sealing &sealing, core::KeyPair pair, SealedPair *out) {
  PAIRMINT_RETURN_IF_ERROR(
      envelope::Seal(*sealing.material, Kind::kPrivateKey, sealing.context,
                     pair.private_key.span(), &out->ciphertext));
  out->public_key = std::move(pair.public_key);
  if (sealing.plaintext) {
    out->plaintext = std::move(pair.private_key);
  }
  return Status::Ok();
}

Napi::Value ToMintedPair(Napi::Env env, const SealedPair &pair) {
  const Napi::Value public_key = ToUint8Array(env, pair.public_key);
  const Napi::Value ciphertext = ToUint8Array(env, pair.ciphertext);
  if (pair.plaintext.empty()) {
    return ToObject(
        env, {{"publicKey", public_key}, {"privateKeyCiphertext", ciphertext}});
  }
  const Napi::Value plaintext = ToUint8Array(env, pair.plaintext.span());
  return ToObject(env, {{"publicKey", public_key},
                        {"privateKeyCiphertext", ciphertext},
                        {"privateKeyPlaintext", plaintext}});
}

class GenerateDataKeyPairTask final : public PromisedTask {
 public:
  GenerateDataKeyPairTask(Napi::Env env, const Napi::Value &args)
      : PromisedTask(env),
        sealing_(args),
        minting_(mint::Begin(NameOf(Member(args, "spec")), abort())) {}

  [[nodiscard]] bool Shareable() const override {
    return minting_ != nullptr && minting_->Shareable();
  }
  [[nodiscard]] bool Brief() const override {
    return minting_ != nullptr && minting_->Brief();
  }

 protected:
  std::optional<Status> Share() override {
    if (sealing_.material == nullptr || minting_ == nullptr) {
      return NotUnderstood();
    }
    std::optional<core::KeyPair> pair;
    PAIRMINT_RETURN_IF_ERROR(minting_->Work(&pair));
    return pair ? std::optional(Seal(sealing_, std::move(*pair), &sealed_))
                : std::nullopt;
  }

  Napi::Value Result(Napi::Env env) override {
    return ToMintedPair(env, sealed_);
  }

 private:
  Sealing sealing_;
  std::unique_ptr<mint::Minting> minting_;
  SealedPair sealed_;
};

// Several pairs, one after the other on one thread: where a pair takes less
// time than the way to another thread and back.
class GenerateDataKeyPairsTask final : public PromisedTask {
 public:
  GenerateDataKeyPairsTask(Napi::Env env, const Napi::Value &args)
      : PromisedTask(env),
        sealing_(args),
        spec_(NameOf(Member(args, "spec"))),
        pairs_(std::min(NumberOf(Member(args, "count")), kMaxPairs)) {}

 protected:
  std::optional<Status> Share() override {
    for (SealedPair &sealed : pairs_) {
      const auto minting = mint::Begin(spec_, abort());
      if (sealing_.material == nullptr || minting == nullptr) {
        return NotUnderstood();
      }
      std::optional<core::KeyPair> pair;
      while (!pair) {
        PAIRMINT_RETURN_IF_ERROR(minting->Work(&pair));
      }
      PAIRMINT_RETURN_IF_ERROR(Seal(sealing_, std::move(*pair), &sealed));
    }
    return Status::Ok();
  }

  Napi::Value Result(Napi::Env env) override {
    std::vector<Napi::Value> pairs;
    pairs.reserve(pairs_.size());
    for (const SealedPair &pair : pairs_) {
      pairs.push_back(ToMintedPair(env, pair));
    }
    return ToArray(env, pairs);
  }

 private:
  // Their private keys are in locked memory, of which there is little.
  static constexpr uint32_t kMaxPairs = 64;

  Sealing sealing_;
  std::string spec_;
  std::vector<SealedPair> pairs_;
};

class GenerateDataKeyJob final : public Job {
 public:
  explicit GenerateDataKeyJob(const Napi::Value &args)
      : material_(SealingMaterial(Member(args, "material"))),
        key_(NumberOf(Member(args, "length"))),
        context_(CopyOf(Member(args, "context"))),
        plaintext_(FlagOf(Member(args, "plaintext"))) {}

  Status Run() override {
    if (material_ == nullptr) {
      return NotUnderstood();
    }
    PAIRMINT_RETURN_IF_ERROR(core::FillRandom(key_.mutable_span()));
    return envelope::Seal(*material_, Kind::kDataKey, context_, key_.span(),
                          &ciphertext_);
  }

  Napi::Value Result(Napi::Env env) override {
    const Napi::Value ciphertext = ToUint8Array(env, ciphertext_);
    if (!plaintext_) {
      return ToObject(env, {{"ciphertext", ciphertext}});
    }
    return ToObject(env, {{"ciphertext", ciphertext},
                          {"plaintext", ToUint8Array(env, key_.span())}});
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
  explicit EncryptJob(const Napi::Value &args)
      : material_(SealingMaterial(Member(args, "material"))),
        context_(CopyOf(Member(args, "context"))),
        plaintext_(BytesOf(Member(args, "plaintext"))) {}

  Status Run() override {
    if (material_ == nullptr) {
      return NotUnderstood();
    }
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
  explicit DecryptJob(const Napi::Value &args)
      : material_(SealingMaterial(Member(args, "material"))),
        context_(CopyOf(Member(args, "context"))),
        ciphertext_(CopyOf(Member(args, "ciphertext"))) {}

  Status Run() override {
    if (material_ == nullptr) {
      return NotUnderstood();
    }
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
  explicit ReEncryptJob(const Napi::Value &args)
      : source_(SealingMaterial(Member(args, "source"))),
        source_context_(CopyOf(Member(args, "sourceContext"))),
        ciphertext_(CopyOf(Member(args, "ciphertext"))),
        destination_(SealingMaterial(Member(args, "destination"))),
        destination_context_(CopyOf(Member(args, "destinationContext"))) {}

  Status Run() override {
    if (source_ == nullptr || destination_ == nullptr) {
      return NotUnderstood();
    }
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

}  // namespace

Napi::Value GenerateDataKeyPair(const Napi::CallbackInfo &info) {
  return ByCrew<GenerateDataKeyPairTask>(info);
}

Napi::Value GenerateDataKeyPairs(const Napi::CallbackInfo &info) {
  return ByCrew<GenerateDataKeyPairsTask>(info);
}

Napi::Value GenerateDataKey(const Napi::CallbackInfo &info) {
  return Here<GenerateDataKeyJob>(info);
}

Napi::Value GenerateRandom(const Napi::CallbackInfo &info) {
  GenerateRandomJob job(NumberOf(info[0]));
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
