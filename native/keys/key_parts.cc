#include "keys/key_parts.h"
#include "core/der.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>

#include <algorithm>

#include "ec/curve.h"
#include "keys/newer.h"
#include "keys/params.h"

namespace pairmint::keys {
namespace {

namespace der = core::der;

using core::ByteSpan;
using core::DerReader;
using core::PkeyCtxPtr;
using core::PkeyPtr;
using core::Status;
using core::StatusCode;

constexpr std::array<const char *, kNumRsaNumbers> kRsaParams = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

// "seed" is in the headers of OpenSSL 3.5.
constexpr const char *kMlDsaSeed = "seed";
// The lengths of ML-DSA's seeds (FIPS 204) and of Ed25519's (RFC 8032).
constexpr size_t kSeedLen = 32;

bool Equal(ByteSpan a, ByteSpan b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// Whether an OBJECT IDENTIFIER, tag and length included, is OpenSSL's `nid`.
bool Names(ByteSpan object_identifier, int nid) {
  constexpr size_t kHeaderLen = 2;
  const ASN1_OBJECT *object = OBJ_nid2obj(nid);
  return object_identifier.size() > kHeaderLen &&
         Equal(object_identifier.subspan(kHeaderLen),
               {OBJ_get0_data(object), OBJ_length(object)});
}

const Spec *FindCurveSpec(ByteSpan object_identifier) {
  for (const Spec &spec : Specs()) {
    if (spec.curve != nullptr &&
        Equal(ec::FindCurve(spec.curve)->oid, object_identifier)) {
      return &spec;
    }
  }
  return nullptr;
}

const Spec *FindTypeSpec(ByteSpan object_identifier) {
  for (const Spec &spec : Specs()) {
    if (!spec.oid.empty() && Equal(spec.oid, object_identifier)) {
      return &spec;
    }
  }
  return nullptr;
}

const Spec *FindRsaSpec(ByteSpan n) {
  for (const Spec &spec : Specs()) {
    if (spec.family == Family::kRsa && n.size() * 8 == spec.size &&
        n[0] >= 0x80) {
      return &spec;
    }
  }
  return nullptr;
}

// Reads an AlgorithmIdentifier. RSA's specs, of which `out` is the first, are
// told apart by the modulus.
bool ReadAlgorithm(DerReader algorithm, const Spec **out) {
  const ByteSpan object_identifier = algorithm.Encoded(der::kObjectIdentifier);
  if (Names(object_identifier, NID_rsaEncryption)) {
    const bool parameters = !algorithm.Value(der::kNull).empty();
    *out = parameters ? nullptr : FindSpec("RSA_2048");
  } else if (Names(object_identifier, NID_X9_62_id_ecPublicKey)) {
    *out = FindCurveSpec(algorithm.Encoded(der::kObjectIdentifier));
  } else {
    *out = FindTypeSpec(object_identifier);
  }
  return algorithm.done() && *out != nullptr;
}

// The first `num_numbers` of an RSAPublicKey or, behind the version, an
// RSAPrivateKey with two primes (RFC 8017, A.1).
bool ReadRsaNumbers(DerReader sequence, size_t num_numbers, KeyParts *out) {
  for (size_t i = 0; i < num_numbers; i++) {
    out->rsa[i] = sequence.Natural();
    if (out->rsa[i].empty()) {
      return false;
    }
  }
  out->spec = FindRsaSpec(out->rsa[kN]);
  return sequence.done() && out->spec != nullptr;
}

bool IsVersion(ByteSpan natural, uint8_t version) {
  // DER writes zero as one zero byte, which Natural takes for a leading one.
  return version == 0 ? natural.empty()
                      : natural.size() == 1 && natural[0] == version;
}

// ECPrivateKey (RFC 5915).
bool ReadEcPrivateKey(DerReader key, KeyParts *out) {
  const ec::Curve &curve = *ec::FindCurve(out->spec->curve);
  if (!IsVersion(key.Natural(), 1)) {
    return false;
  }
  out->secret = key.Value(der::kOctetString);
  if (key.At(der::kConstructed0)) {
    DerReader parameters = key.Inside(der::kConstructed0);
    if (!Equal(parameters.Encoded(der::kObjectIdentifier), curve.oid) ||
        !parameters.done()) {
      return false;
    }
  }
  if (key.At(der::kConstructed1)) {
    DerReader point = key.Inside(der::kConstructed1);
    out->public_key = point.BitString();
    if (!point.done()) {
      return false;
    }
  }
  return key.done() && out->secret.size() == curve.field_len;
}

// CurvePrivateKey (RFC 8410).
bool ReadEd25519PrivateKey(DerReader key, KeyParts *out) {
  out->secret = key.Value(der::kOctetString);
  return key.done() && out->secret.size() == kSeedLen;
}

// ML-DSA-*-PrivateKey (RFC 9881): the seed, the expanded key or both.
bool ReadMlDsaPrivateKey(DerReader key, KeyParts *out) {
  const bool both = key.At(der::kSequence);
  DerReader choice = both ? key.Inside(der::kSequence) : key;
  if (both || choice.At(der::kContext0)) {
    out->secret = choice.Value(both ? der::kOctetString : der::kContext0);
  }
  if (both || choice.At(der::kOctetString)) {
    out->expanded = choice.Value(der::kOctetString);
  }
  return choice.done() && (!both || key.done()) &&
         (out->secret.empty() || out->secret.size() == kSeedLen);
}

bool ReadByFamily(DerReader key, KeyParts *out) {
  switch (out->spec->family) {
    case Family::kRsa: {
      DerReader sequence = key.Inside(der::kSequence);
      return key.done() && IsVersion(sequence.Natural(), 0) &&
             ReadRsaNumbers(sequence, kNumRsaNumbers, out);
    }
    case Family::kEc:
    case Family::kSm2: {
      const DerReader sequence = key.Inside(der::kSequence);
      return key.done() && ReadEcPrivateKey(sequence, out);
    }
    case Family::kEd25519:
      return ReadEd25519PrivateKey(key, out);
    case Family::kMlDsa:
      return ReadMlDsaPrivateKey(key, out);
    case Family::kBytes:
      return false;
  }
  return false;
}

Params ParamsOf(const KeyParts &parts) {
  switch (parts.spec->family) {
    case Family::kRsa: {
      size_t len = 0;
      for (const ByteSpan number : parts.rsa) {
        len += number.size();
      }
      Params params(len);
      for (size_t i = 0; i < parts.rsa.size() && !parts.rsa[i].empty(); i++) {
        params.Number(kRsaParams[i], parts.rsa[i]);
      }
      return params;
    }
    case Family::kEc:
    case Family::kSm2: {
      Params params(parts.secret.size());
      params.Text(OSSL_PKEY_PARAM_GROUP_NAME,
                  OBJ_nid2sn(ec::FindCurve(parts.spec->curve)->nid));
      params.Octets(OSSL_PKEY_PARAM_PUB_KEY, parts.public_key);
      if (!parts.secret.empty()) {
        params.Number(OSSL_PKEY_PARAM_PRIV_KEY, parts.secret);
      }
      return params;
    }
    default: {
      const bool ml_dsa = parts.spec->family == Family::kMlDsa;
      Params params;
      params.OctetsIfAny(OSSL_PKEY_PARAM_PUB_KEY, parts.public_key)
          .OctetsIfAny(ml_dsa ? kMlDsaSeed : OSSL_PKEY_PARAM_PRIV_KEY,
                       parts.secret)
          .OctetsIfAny(OSSL_PKEY_PARAM_PRIV_KEY, parts.expanded);
      return params;
    }
  }
}

Status NoKey() {
  return Status(StatusCode::kInvalidArgument,
                "this is no key of a type that is known");
}

Status Open(const KeyParts &parts, OpenedKey *out) {
  if (parts.spec->family == Family::kMlDsa && !HasMlDsa()) {
    return Status(StatusCode::kUnsupported,
                  "ML-DSA needs Node.js with OpenSSL 3.5 or later");
  }
  PkeyPtr pkey = ToPkey(parts);
  if (pkey == nullptr) {
    return Status(StatusCode::kInvalidArgument, "OpenSSL refuses this key");
  }
  *out = {parts.spec, std::move(pkey)};
  return Status::Ok();
}

}  // namespace

bool ReadPrivateKey(ByteSpan pkcs8, KeyParts *out) {
  KeyParts parts;
  DerReader file(pkcs8);
  DerReader info = file.Inside(der::kSequence);
  const ByteSpan version = info.Natural();
  const bool is_version_2 = IsVersion(version, 1);
  if (!file.done() || (!IsVersion(version, 0) && !is_version_2) ||
      !ReadAlgorithm(info.Inside(der::kSequence), &parts.spec)) {
    return false;
  }
  const DerReader key = info.Inside(der::kOctetString);
  if (info.At(der::kConstructed0)) {
    info.Value(der::kConstructed0);  // attributes, of which none concern us
  }
  if (is_version_2 && info.At(der::kContext1)) {
    parts.attached_public_key = info.BitString(der::kContext1);
  }
  if (!info.done() || !ReadByFamily(key, &parts)) {
    return false;
  }
  *out = parts;
  return true;
}

bool ReadPublicKey(ByteSpan spki, KeyParts *out) {
  KeyParts parts;
  DerReader file(spki);
  DerReader info = file.Inside(der::kSequence);
  if (!file.done() ||
      !ReadAlgorithm(info.Inside(der::kSequence), &parts.spec)) {
    return false;
  }
  const ByteSpan key = info.BitString();
  if (!info.done()) {
    return false;
  }
  if (parts.spec->family == Family::kRsa) {
    DerReader sequence(key);
    const DerReader numbers = sequence.Inside(der::kSequence);
    if (!sequence.done() || !ReadRsaNumbers(numbers, kE + 1, &parts)) {
      return false;
    }
  } else {
    parts.public_key = key;
  }
  *out = parts;
  return true;
}

PkeyPtr ToPkey(const KeyParts &parts) {
  const PkeyCtxPtr ctx(
      EVP_PKEY_CTX_new_from_name(nullptr, parts.spec->type, nullptr));
  Params params = ParamsOf(parts);
  EVP_PKEY *pkey = nullptr;
  if (ctx == nullptr || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(
          ctx.get(), &pkey,
          parts.is_private() ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
          params.list()) != 1) {
    return nullptr;
  }
  return PkeyPtr(pkey);
}

Status OpenPrivateKey(ByteSpan pkcs8, OpenedKey *out) {
  KeyParts parts;
  return ReadPrivateKey(pkcs8, &parts) ? Open(parts, out) : NoKey();
}

Status OpenPublicKey(ByteSpan spki, OpenedKey *out) {
  KeyParts parts;
  return ReadPublicKey(spki, &parts) ? Open(parts, out) : NoKey();
}

}  // namespace pairmint::keys
