// Pairs: minted for a request, minted to wait in a pool, and taken out of one.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "addon/exports.h"
#include "addon/job.h"
#include "addon/materials.h"
#include "addon/promised_task.h"
#include "addon/values.h"
#include "envelope/blob.h"
#include "mint/mint.h"
#include "pool/lot.h"

namespace pairmint::addon {
namespace {

using core::Bytes;
using core::SecretBytes;
using core::Status;
using envelope::Kind;

// In one crossing. More would save little: the crossing is shared by 64 pairs
// already. And their private keys lie in locked memory, of which some systems
// grant a process 64 KB: 64 encoded keys of P-521, 241 bytes each, take 15 KB.
constexpr uint32_t kMaxPairs = 64;

// What a pair's private key is sealed with, and whether it is given in the
// clear as well.
struct Sealing {
  Sealing(const Napi::Value &args, Status *refusal)
      : material(SealingMaterial(Member(args, "material"), refusal)),
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

class GenerateDataKeyPairTask final : public MintingTask {
 public:
  GenerateDataKeyPairTask(Napi::Env env, const Napi::Value &args)
      : MintingTask(env, args, NameOf(Member(args, "spec"))),
        sealing_(args, refusal()),
        minting_(mint::Begin(spec(), abort())) {
    Require(minting_ != nullptr);
  }

  [[nodiscard]] bool Shareable() const override {
    return minting_ != nullptr && minting_->Shareable();
  }

 protected:
  std::optional<Status> Share() override {
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

// Several pairs on one thread: where a pair takes less time than the way to
// another thread and back, or than a pair alone.
class GenerateDataKeyPairsTask final : public MintingTask {
 public:
  GenerateDataKeyPairsTask(Napi::Env env, const Napi::Value &args)
      : MintingTask(env, args, NameOf(Member(args, "spec"))),
        sealing_(args, refusal()),
        pairs_(std::min(NumberOf(Member(args, "count")), kMaxPairs)) {}

 protected:
  std::optional<Status> Share() override {
    std::vector<core::KeyPair> minted(pairs_.size());
    PAIRMINT_RETURN_IF_ERROR(mint::MintSeveral(spec(), abort(), true, minted));
    for (size_t i = 0; i < pairs_.size(); i++) {
      PAIRMINT_RETURN_IF_ERROR(
          Seal(sealing_, std::move(minted[i]), &pairs_[i]));
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
  Sealing sealing_;
  std::vector<SealedPair> pairs_;
};

// Several pairs under one seal, on one thread.
class MintLotTask final : public MintingTask {
 public:
  MintLotTask(Napi::Env env, const Napi::Value &args)
      : MintingTask(env, args, NameOf(Member(args, "spec"))),
        material_(SealingMaterial(Member(args, "material"), refusal())),
        context_(CopyOf(Member(args, "context"))),
        count_(std::min(NumberOf(Member(args, "count")), kMaxPairs)) {}

 protected:
  std::optional<Status> Share() override {
    std::vector<core::KeyPair> minted(count_);
    PAIRMINT_RETURN_IF_ERROR(mint::MintSeveral(spec(), abort(), true, minted));
    pool::LotWriter lot;
    for (const core::KeyPair &pair : minted) {
      PAIRMINT_RETURN_IF_ERROR(lot.Add(pair));
    }
    return envelope::Seal(*material_, Kind::kPrivateKey, context_,
                          lot.written(), &sealed_);
  }

  Napi::Value Result(Napi::Env env) override {
    return ToUint8Array(env, sealed_);
  }

 private:
  SharedMaterial material_;
  Bytes context_;
  uint32_t count_;
  Bytes sealed_;
};

// Seals a pair for the request that it was minted for.
class SealPairJob final : public PartJob {
 public:
  SealPairJob(const Napi::Value &args, core::KeyPair *pair)
      : sealing_(args, refusal()), pair_(pair) {}

  Status Run() override { return Seal(sealing_, std::move(*pair_), &sealed_); }

  [[nodiscard]] Parts parts() const override {
    return {sealed_.public_key, sealed_.ciphertext, sealed_.plaintext.span()};
  }

 private:
  Sealing sealing_;
  core::KeyPair *pair_;
  SealedPair sealed_;
};

class TakeFromLotJob final : public PartJob {
 public:
  explicit TakeFromLotJob(const Napi::Value &args)
      : sealing_(args, refusal()),
        source_(SealingMaterial(Member(args, "source"), refusal())),
        source_context_(CopyOf(Member(args, "sourceContext"))),
        lot_(BytesOf(Member(args, "lot"))),
        index_(NumberOf(Member(args, "index"))) {}

  Status Run() override {
    SecretBytes lot;
    core::KeyPair pair;
    PAIRMINT_RETURN_IF_ERROR(
        envelope::Open(*source_, source_context_, lot_, &lot, nullptr));
    PAIRMINT_RETURN_IF_ERROR(pool::ReadLot(lot.span(), index_, &pair));
    return Seal(sealing_, std::move(pair), &sealed_);
  }

  [[nodiscard]] Parts parts() const override {
    return {sealed_.public_key, sealed_.ciphertext, sealed_.plaintext.span()};
  }

 private:
  Sealing sealing_;
  SharedMaterial source_;
  Bytes source_context_;
  // JavaScript's own: it does not run before the job is done.
  core::ByteSpan lot_;
  uint32_t index_;
  SealedPair sealed_;
};

Napi::Value GenerateDataKeyPairsHere(const Napi::CallbackInfo &info) {
  const std::vector<Napi::Value> args = ElementsOf(info[1]);
  const CleanErrorQueue clean;
  const core::AbortFlag never;
  std::vector<core::KeyPair> minted(args.size());
  const Status status =
      mint::MintSeveral(NameOf(info[0]), never, false, minted);
  if (!status.ok()) {
    return Throw(info.Env(), status);
  }
  return AllHere<SealPairJob>(info.Env(), args, minted);
}

Napi::Value MintsQuickly(const Napi::CallbackInfo &info) {
  napi_value quick = nullptr;
  napi_get_boolean(info.Env(), mint::IsQuick(NameOf(info[0])), &quick);
  return {info.Env(), quick};
}

Napi::Value TakeFromLots(const Napi::CallbackInfo &info) {
  const std::vector<Napi::Value> args = ElementsOf(info[0]);
  return AllHere<TakeFromLotJob>(info.Env(), args);
}

constexpr Export kExports[] = {
    {"generateDataKeyPair", ByCrew<GenerateDataKeyPairTask>},
    {"generateDataKeyPairs", ByCrew<GenerateDataKeyPairsTask>},
    {"generateDataKeyPairsHere", GenerateDataKeyPairsHere},
    {"mintsQuickly", MintsQuickly},
    {"mintLot", ByCrew<MintLotTask>},
    {"takeFromLots", TakeFromLots},
};

}  // namespace

std::span<const Export> PairFunctions() { return kExports; }

}  // namespace pairmint::addon
