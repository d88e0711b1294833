#include "mint/mint.h"

#include <array>
#include <mutex>
#include <utility>

#include "ec/curve.h"
#include "ec/ed25519.h"
#include "keys/ml_dsa.h"
#include "rsa/key.h"
#include "rsa/search.h"

namespace pairmint::mint {
namespace {

using core::AbortFlag;
using core::KeyPair;
using core::Status;
using core::StatusCode;

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
// share or to look at the flag in between.
class QuickMinting final : public Minting {
 public:
  using Mint = Status (*)(KeyPair *out);

  QuickMinting(Mint mint, bool brief, const AbortFlag &abort)
      : mint_(mint), brief_(brief), abort_(abort) {}

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
  [[nodiscard]] bool Brief() const override { return brief_; }

 private:
  Mint mint_;
  bool brief_;
  const AbortFlag &abort_;
};

using Begun = std::unique_ptr<Minting>;

template <int kModulusBits>
Begun BeginRsa(const AbortFlag &abort) {
  return std::make_unique<RsaMinting>(kModulusBits, abort);
}

template <QuickMinting::Mint kMint>
Begun BeginQuick(const AbortFlag &abort) {
  return std::make_unique<QuickMinting>(kMint, false, abort);
}

// Where OpenSSL's arithmetic is made for the curve, tens of microseconds.
template <QuickMinting::Mint kMint>
Begun BeginBrief(const AbortFlag &abort) {
  return std::make_unique<QuickMinting>(kMint, true, abort);
}

Status MintOn(const char *curve, KeyPair *out) {
  return ec::Mint(*ec::FindCurve(curve), out);
}

struct Spec {
  std::string_view name;
  Begun (*begin)(const AbortFlag &abort);
};

constexpr std::array<Spec, 12> kSpecs = {{
    {"RSA_2048", BeginRsa<2048>},
    {"RSA_3072", BeginRsa<3072>},
    {"RSA_4096", BeginRsa<4096>},
    {"ECC_NIST_P256",
     BeginBrief<[](KeyPair *out) { return MintOn("P-256", out); }>},
    {"ECC_NIST_P384",
     BeginQuick<[](KeyPair *out) { return MintOn("P-384", out); }>},
    {"ECC_NIST_P521",
     BeginQuick<[](KeyPair *out) { return MintOn("P-521", out); }>},
    {"ECC_SECG_P256K1",
     BeginQuick<[](KeyPair *out) { return MintOn("secp256k1", out); }>},
    {"SM2", BeginQuick<[](KeyPair *out) { return MintOn("SM2", out); }>},
    {"ECC_NIST_EDWARDS25519", BeginBrief<ec::MintEd25519>},
    {"ML_DSA_44", BeginQuick<[](KeyPair *out) {
       return keys::MintMlDsa("ML-DSA-44", out);
     }>},
    {"ML_DSA_65", BeginQuick<[](KeyPair *out) {
       return keys::MintMlDsa("ML-DSA-65", out);
     }>},
    {"ML_DSA_87", BeginQuick<[](KeyPair *out) {
       return keys::MintMlDsa("ML-DSA-87", out);
     }>},
}};

}  // namespace

Begun Begin(std::string_view spec, const AbortFlag &abort) {
  for (const Spec &row : kSpecs) {
    if (row.name == spec) {
      return row.begin(abort);
    }
  }
  return nullptr;
}

}  // namespace pairmint::mint
