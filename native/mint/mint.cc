#include "mint/mint.h"

#include <array>

#include "ec/curve.h"
#include "ec/ed25519.h"
#include "rsa/keygen.h"

namespace pairmint::mint {
namespace {

using core::AbortFlag;
using core::KeyPair;
using core::Status;

template <int kModulusBits>
Status MintRsa(const AbortFlag &abort, KeyPair *out) {
  rsa::Key key;
  PAIRMINT_RETURN_IF_ERROR(rsa::Generate(kModulusBits, abort, &key));
  return rsa::Encode(key, out);
}

// An EC pair takes two milliseconds at most: too short to look at the flag.
Status MintEc(const char *curve, KeyPair *out) {
  return ec::Mint(*ec::FindCurve(curve), out);
}

using Abort = const AbortFlag &;

constexpr std::array<Spec, 9> kSpecs = {{
    {"RSA_2048", MintRsa<2048>},
    {"RSA_3072", MintRsa<3072>},
    {"RSA_4096", MintRsa<4096>},
    {"ECC_NIST_P256", [](Abort, KeyPair *out) { return MintEc("P-256", out); }},
    {"ECC_NIST_P384", [](Abort, KeyPair *out) { return MintEc("P-384", out); }},
    {"ECC_NIST_P521", [](Abort, KeyPair *out) { return MintEc("P-521", out); }},
    {"ECC_SECG_P256K1",
     [](Abort, KeyPair *out) { return MintEc("secp256k1", out); }},
    {"SM2", [](Abort, KeyPair *out) { return MintEc("SM2", out); }},
    {"ECC_NIST_EDWARDS25519",
     [](Abort, KeyPair *out) { return ec::MintEd25519(out); }},
}};

}  // namespace

const Spec *FindSpec(std::string_view name) {
  for (const Spec &spec : kSpecs) {
    if (spec.name == name) {
      return &spec;
    }
  }
  return nullptr;
}

}  // namespace pairmint::mint
