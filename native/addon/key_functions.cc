// What makes the material of KMS keys: private keys that are minted here, and
// material that is imported.
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "addon/exports.h"
#include "addon/job.h"
#include "addon/materials.h"
#include "addon/promised_task.h"
#include "addon/values.h"
#include "envelope/record.h"
#include "keys/encryption.h"
#include "keys/material.h"
#include "keys/token.h"
#include "mint/mint.h"

namespace pairmint::addon {
namespace {

using core::Bytes;
using core::ByteSpan;
using core::SecretBytes;
using core::Status;
using core::StatusCode;
using envelope::KeyId;
using envelope::SecretKind;

// Where new material goes: what the arguments of all these functions begin
// with.
struct Destination {
  Destination(const Napi::Value &args, Status *refusal)
      : root_key(RootKeyOf(Member(args, "rootKey"), refusal)),
        key_id(ArrayOf<envelope::kKeyIdLen>(Member(args, "keyId"))),
        attributes(CopyOf(Member(args, "attributes"))) {}

  Status Store(SecretKind kind, ByteSpan secret, envelope::Record *out) const {
    return envelope::CreateRecord(root_key->span(), kind, key_id, attributes,
                                  secret, out);
  }

  std::shared_ptr<const SecretBytes> root_key;
  KeyId key_id;
  Bytes attributes;
};

// A task that mints a pair and keeps its private half.
class KeepingTask : public MintingTask {
 public:
  KeepingTask(Napi::Env env, const Napi::Value &args, const char *member)
      : MintingTask(env, args, NameOf(Member(args, member))),
        destination_(args, refusal()),
        minting_(mint::Begin(spec(), abort())) {
    Require(minting_ != nullptr);
  }

  [[nodiscard]] bool Shareable() const override {
    return minting_ != nullptr && minting_->Shareable();
  }

 protected:
  virtual Status Keep(const Destination &destination, ByteSpan private_key) = 0;

  [[nodiscard]] const Bytes &public_key() const { return public_key_; }

 private:
  std::optional<Status> Share() final {
    std::optional<core::KeyPair> pair;
    PAIRMINT_RETURN_IF_ERROR(minting_->Work(&pair));
    if (!pair) {
      return std::nullopt;
    }
    PAIRMINT_RETURN_IF_ERROR(Keep(destination_, pair->private_key.span()));
    public_key_ = std::move(pair->public_key);
    return Status::Ok();
  }

  Destination destination_;
  std::unique_ptr<mint::Minting> minting_;
  Bytes public_key_;
};

class CreatePrivateKeyMaterialTask final : public KeepingTask {
 public:
  CreatePrivateKeyMaterialTask(Napi::Env env, const Napi::Value &args)
      : KeepingTask(env, args, "spec") {}

 protected:
  Status Keep(const Destination &destination, ByteSpan private_key) override {
    return destination.Store(SecretKind::kPrivateKey, private_key, &record_);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToMaterialRecord(env, record_, public_key());
  }

 private:
  envelope::Record record_;
};

class CreateImportTokenTask final : public KeepingTask {
 public:
  CreateImportTokenTask(Napi::Env env, const Napi::Value &args)
      : KeepingTask(env, args, "wrappingKeySpec") {}

 protected:
  Status Keep(const Destination &destination, ByteSpan private_key) override {
    return keys::CreateToken(destination.root_key->span(), destination.key_id,
                             destination.attributes, private_key, &token_);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToObject(env, {{"publicKey", ToUint8Array(env, public_key())},
                          {"token", ToUint8Array(env, token_)}});
  }

 private:
  Bytes token_;
};

class OpenImportTokenJob final : public Job {
 public:
  explicit OpenImportTokenJob(const Napi::Value &args)
      : destination_(args, refusal()), token_(BytesOf(Member(args, "token"))) {}

  Status Run() override {
    SecretBytes wrapping_key;
    return keys::OpenToken(destination_.root_key->span(), destination_.key_id,
                           token_, &attributes_, &wrapping_key);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, attributes_);
  }

 private:
  Destination destination_;
  ByteSpan token_;
  Bytes attributes_;
};

// A task that makes a record of what was made elsewhere.
class ImportTask : public PromisedTask {
 public:
  ImportTask(Napi::Env env, const Napi::Value &args)
      : PromisedTask(env),
        destination_(args, refusal()),
        spec_(keys::FindSpec(NameOf(Member(args, "spec")))),
        caller_(TextOf(Member(args, "caller"))) {
    Require(spec_ != nullptr);
  }

  [[nodiscard]] std::string_view caller() const final { return caller_; }
  // Proving that an RSA key's factors are prime takes as long as finding some.
  [[nodiscard]] crew::Length length() const final {
    return spec_ != nullptr && spec_->family == keys::Family::kRsa
               ? crew::Length::kLong
               : crew::Length::kStep;
  }

 protected:
  // Finds what is to be imported.
  virtual Status Unwrap(const Destination &destination, SecretBytes *out) = 0;
  // What is said of material that is refused.
  [[nodiscard]] virtual Status Explain(Status refusal) const { return refusal; }

 private:
  std::optional<Status> Share() final {
    SecretBytes given;
    PAIRMINT_RETURN_IF_ERROR(Unwrap(destination_, &given));
    keys::Material material;
    Status accepted =
        keys::AcceptMaterial(*spec_, given.span(), abort(), &material);
    if (accepted.code() == StatusCode::kInvalidKeyMaterial) {
      return Explain(std::move(accepted));
    }
    PAIRMINT_RETURN_IF_ERROR(accepted);
    public_key_ = std::move(material.public_key);
    return destination_.Store(material.kind, material.secret.span(), &record_);
  }

  Napi::Value Result(Napi::Env env) final {
    return ToMaterialRecord(env, record_, public_key_);
  }

  Destination destination_;
  const keys::Spec *spec_;
  std::string caller_;
  envelope::Record record_;
  Bytes public_key_;
};

class ImportKeyMaterialTask final : public ImportTask {
 public:
  ImportKeyMaterialTask(Napi::Env env, const Napi::Value &args)
      : ImportTask(env, args),
        token_(CopyOf(Member(args, "token"))),
        algorithm_(NameOf(Member(args, "algorithm"))),
        encrypted_(CopyOf(Member(args, "encryptedKeyMaterial"))) {}

 protected:
  Status Unwrap(const Destination &destination, SecretBytes *out) override {
    Bytes attributes;
    SecretBytes wrapping_key;
    PAIRMINT_RETURN_IF_ERROR(keys::OpenToken(destination.root_key->span(),
                                             destination.key_id, token_,
                                             &attributes, &wrapping_key));
    return keys::Unwrap(wrapping_key.span(), algorithm_, encrypted_, out);
  }

  [[nodiscard]] Status Explain(Status refusal) const override {
    return algorithm_ == keys::kPkcs1Wrapping
               ? Status(StatusCode::kInvalidCiphertext)
               : std::move(refusal);
  }

 private:
  Bytes token_;
  std::string algorithm_;
  Bytes encrypted_;
};

class ImportPlainKeyMaterialTask final : public ImportTask {
 public:
  ImportPlainKeyMaterialTask(Napi::Env env, const Napi::Value &args)
      : ImportTask(env, args), given_(BytesOf(Member(args, "plaintext"))) {}

 protected:
  Status Unwrap(const Destination & /*destination*/,
                SecretBytes *out) override {
    *out = std::move(given_);
    return Status::Ok();
  }

 private:
  SecretBytes given_;
};

constexpr Export kExports[] = {
    {"createPrivateKeyMaterial", ByCrew<CreatePrivateKeyMaterialTask>},
    {"createImportToken", ByCrew<CreateImportTokenTask>},
    {"openImportToken", Here<OpenImportTokenJob>},
    {"importKeyMaterial", ByCrew<ImportKeyMaterialTask>},
    {"importPlainKeyMaterial", ByCrew<ImportPlainKeyMaterialTask>},
};

}  // namespace

std::span<const Export> KeyFunctions() { return kExports; }

}  // namespace pairmint::addon
