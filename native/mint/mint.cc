#include "mint/mint.h"

#include <functional>
#include <mutex>
#include <utility>

#include "ec/batch.h"
#include "ec/curve.h"
#include "ec/dispatch.h"
#include "ec/ed25519.h"
#include "ec/lone.h"
#include "ec/lot.h"
#include "keys/ml_dsa.h"
#include "keys/spec.h"
#include "rsa/key.h"
#include "rsa/search.h"

namespace pairmint::mint {
namespace {

using core::AbortFlag;
using core::KeyPair;
using core::Status;
using core::StatusCode;
using keys::Family;
using keys::Spec;

class RsaMinting final : public Minting {
 public:
  RsaMinting(int modulus_bits, const AbortFlag &abort)
      : modulus_bits_(modulus_bits), abort_(abort) {}

  Status Work(std::optional<KeyPair> *out) override {
    std::optional<rsa::Key> key;
    PAIRMINT_RETURN_IF_ERROR(TheSearch().Run(&key));
    if (!key) {
      return Status::Ok();
    }
    KeyPair pair;
    PAIRMINT_RETURN_IF_ERROR(rsa::Encode(*key, &pair));
    *out = std::move(pair);
    return Status::Ok();
  }

  [[nodiscard]] bool Shareable() const override { return true; }

 private:
  // A search holds locked memory, of which thousands of requests that wait
  // would use up what the system grants: it is made when the work begins.
  rsa::Search &TheSearch() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (search_ == nullptr) {
      search_ = std::make_unique<rsa::Search>(modulus_bits_, abort_);
    }
    return *search_;
  }

  const int modulus_bits_;
  const AbortFlag &abort_;
  std::mutex mutex_;  // guards search_
  std::unique_ptr<rsa::Search> search_;
};

// A pair on a curve or of ML-DSA takes two milliseconds at most: too short to
// share or to look at the flag in between. What now and then takes longer on a
// curve looks at it itself.
class QuickMinting final : public Minting {
 public:
  using Mint = std::function<Status(KeyPair *out)>;

  QuickMinting(Mint mint, const AbortFlag &abort)
      : mint_(std::move(mint)), abort_(abort) {}

  Status Work(std::optional<KeyPair> *out) override {
    if (abort_.raised()) {
      return Status(StatusCode::kAborted);
    }
    KeyPair pair;
    PAIRMINT_RETURN_IF_ERROR(mint_(&pair));
    *out = std::move(pair);
    return Status::Ok();
  }

  [[nodiscard]] bool Shareable() const override { return false; }

 private:
  Mint mint_;
  const AbortFlag &abort_;
};

using Begun = std::unique_ptr<Minting>;

// Begins a pair as its spec's family asks; nullptr if the spec has no pairs.
Begun BeginPair(const Spec &spec, const AbortFlag &abort) {
  switch (spec.family) {
    case Family::kRsa:
      return std::make_unique<RsaMinting>(static_cast<int>(spec.size), abort);
    case Family::kEc:
    case Family::kSm2:
      return std::make_unique<QuickMinting>(
          [curve = ec::FindCurve(spec.curve), &abort](KeyPair *out) {
            return ec::IsOurs(*curve) ? ec::MintAlone(*curve, abort, out)
                                      : ec::Mint(*curve, out);
          },
          abort);
    case Family::kEd25519:
      return std::make_unique<QuickMinting>(
          [&abort](KeyPair *out) { return ec::MintEd25519(abort, out); },
          abort);
    case Family::kMlDsa:
      return std::make_unique<QuickMinting>(
          [type = spec.type](KeyPair *out) {
            return keys::MintMlDsa(type, out);
          },
          abort);
    case Family::kBytes:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

Begun Begin(std::string_view spec, const AbortFlag &abort) {
  const Spec *row = keys::FindSpec(spec);
  return row == nullptr ? nullptr : BeginPair(*row, abort);
}

bool IsLong(std::string_view spec) {
  const Spec *row = keys::FindSpec(spec);
  return row != nullptr && row->family == Family::kRsa;
}

bool IsQuick(std::string_view spec) {
  const Spec *row = keys::FindSpec(spec);
  if (row == nullptr) {
    return false;
  }
  const ec::Curve *curve =
      row->curve == nullptr ? nullptr : ec::FindCurve(row->curve);
  return curve == nullptr
             ? row->family == Family::kEd25519 && ec::IsEd25519Quick()
             : ec::IsQuick(*curve);
}

Status MintSeveral(std::string_view spec, const AbortFlag &abort,
                   bool may_set_up, std::span<KeyPair> out) {
  const Spec *row = keys::FindSpec(spec);
  if (row == nullptr || row->family == Family::kBytes) {
    return Status(StatusCode::kInvalidArgument);
  }
  if (row->family == Family::kEd25519) {
    return ec::MintSeveralEd25519(abort, may_set_up, out);
  }
  const ec::Curve *curve =
      row->curve == nullptr ? nullptr : ec::FindCurve(row->curve);
  if (curve != nullptr && (!ec::IsOurs(*curve) || out.size() >= ec::kMinLot)) {
    return ec::MintSeveral(*curve, abort, out);
  }
  for (KeyPair &each : out) {
    const Begun minting = BeginPair(*row, abort);
    std::optional<KeyPair> pair;
    while (!pair) {
      PAIRMINT_RETURN_IF_ERROR(minting->Work(&pair));
    }
    each = std::move(*pair);
  }
  return Status::Ok();
}

}  // namespace pairmint::mint
