// RSA_* is deprecated in favour of EVP, but part of OpenSSL 3.x everywhere; EVP
// checks a key without looking at the abort flag in between.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "keys/material.h"

#include <openssl/rsa.h>

#include <algorithm>
#include <array>

#include "core/der.h"
#include "core/key_pair.h"
#include "core/openssl.h"
#include "ec/curve.h"
#include "ec/ed25519.h"
#include "keys/key_parts.h"
#include "keys/ml_dsa.h"
#include "keys/newer.h"
#include "rsa/assemble.h"
#include "rsa/key.h"

namespace pairmint::keys {
namespace {

namespace der = core::der;

using core::AbortFlag;
using core::BignumPtr;
using core::ByteSpan;
using core::DerReader;
using core::KeyPair;
using core::OutOfMemory;
using core::PkeyCtxPtr;
using core::PkeyPtr;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

constexpr const char *kImport = "a key's import";

using RsaPtr = core::OpenSslPtr<RSA, RSA_free>;
using ProgressPtr = core::OpenSslPtr<BN_GENCB, BN_GENCB_free>;

Status Refused(const char *why) {
  return Status(StatusCode::kInvalidKeyMaterial, why);
}

BignumPtr ToSecretNumber(ByteSpan big_endian) {
  BignumPtr number(BN_bin2bn(big_endian.data(),
                             static_cast<int>(big_endian.size()), nullptr));
  if (number != nullptr) {
    BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  }
  return number;
}

int GoOnUnlessAborted(int /*event*/, int /*round*/, BN_GENCB *progress) {
  const auto *abort = static_cast<AbortFlag *>(BN_GENCB_get_arg(progress));
  return abort->raised() ? 0 : 1;
}

// Primality of p and q, n = p q, e d = 1 and the CRT values, by OpenSSL.
Status CheckRelations(const rsa::Key &key, const AbortFlag &abort) {
  const RsaPtr rsa(RSA_new());
  const ProgressPtr progress(BN_GENCB_new());
  std::array<BignumPtr, kNumRsaNumbers> copies;
  const std::array<const BignumPtr *, kNumRsaNumbers> numbers = {
      &key.n, &key.e, &key.d, &key.p, &key.q, &key.dp, &key.dq, &key.qinv};
  for (size_t i = 0; i < numbers.size(); i++) {
    copies[i].reset(BN_dup(numbers[i]->get()));
    if (copies[i] == nullptr || rsa == nullptr || progress == nullptr) {
      return OutOfMemory(kImport);
    }
  }
  const auto take = [&](RsaNumber i) { return copies[i].release(); };
  RSA_set0_key(rsa.get(), take(kN), take(kE), take(kD));
  RSA_set0_factors(rsa.get(), take(kP), take(kQ));
  RSA_set0_crt_params(rsa.get(), take(kDp), take(kDq), take(kQinv));
  BN_GENCB_set(progress.get(), GoOnUnlessAborted,
               const_cast<AbortFlag *>(&abort));
  const bool good = RSA_check_key_ex(rsa.get(), progress.get()) == 1;
  if (abort.raised()) {
    return Status(StatusCode::kAborted);
  }
  return good ? Status::Ok()
              : Refused("the numbers of the RSA key do not fit together");
}

// FIPS 186-5, A.1.1, criteria 1 and 2, as far as keys of other makers keep to
// them: many let p and q begin below sqrt(2) * 2^(nlen/2 - 1).
Status CheckSizes(const rsa::Key &key, int modulus_bits) {
  const int e_bits = BN_num_bits(key.e.get());
  if (e_bits <= 16 || e_bits > 256 || BN_is_odd(key.e.get()) != 1) {
    return Refused(
        "the public exponent must be odd, above 2^16 and below "
        "2^256");
  }
  if (BN_num_bits(key.p.get()) != modulus_bits / 2 ||
      BN_num_bits(key.q.get()) != modulus_bits / 2 ||
      !rsa::FarApart(key.p.get(), key.q.get(), modulus_bits)) {
    return Refused(
        "the primes must have half the modulus's length and lie "
        "apart");
  }
  return Status::Ok();
}

Status AcceptRsa(const KeyParts &parts, const AbortFlag &abort, KeyPair *out) {
  const auto number = [&](RsaNumber i) { return ToSecretNumber(parts.rsa[i]); };
  const rsa::Key key = {number(kN), number(kE),  number(kD),  number(kP),
                        number(kQ), number(kDp), number(kDq), number(kQinv)};
  for (const BignumPtr *made :
       {&key.n, &key.e, &key.d, &key.p, &key.q, &key.dp, &key.dq, &key.qinv}) {
    if (*made == nullptr) {
      return OutOfMemory(kImport);
    }
  }
  PAIRMINT_RETURN_IF_ERROR(CheckSizes(key, static_cast<int>(parts.spec->size)));
  PAIRMINT_RETURN_IF_ERROR(CheckRelations(key, abort));
  if (!rsa::PairwiseTest(key).ok()) {
    return Refused("the RSA key does not decrypt what it encrypts");
  }
  return rsa::Encode(key, out);
}

// Whether OpenSSL finds the private key in range and the public key its
// product.
bool Consistent(const KeyParts &parts) {
  const PkeyPtr pkey = ToPkey(parts);
  if (pkey == nullptr) {
    return false;
  }
  const PkeyCtxPtr ctx(
      EVP_PKEY_CTX_new_from_pkey(nullptr, pkey.get(), nullptr));
  return ctx != nullptr && EVP_PKEY_check(ctx.get()) == 1;
}

// Whether the two are one point, of which `uncompressed` has both coordinates
// and `point` maybe x alone (SEC 1, 2.3.3).
bool SamePoint(ByteSpan point, ByteSpan uncompressed) {
  if (point.empty()) {
    return false;
  }
  const size_t field_len = (uncompressed.size() - 1) / 2;
  const bool is_compressed =
      point.size() == 1 + field_len &&
      point[0] == POINT_CONVERSION_COMPRESSED + (uncompressed.back() & 1);
  const ByteSpan expected =
      is_compressed ? uncompressed.subspan(1, field_len) : uncompressed;
  const ByteSpan given = is_compressed ? point.subspan(1) : point;
  return std::equal(given.begin(), given.end(), expected.begin(),
                    expected.end());
}

// Whether a public key that came with a private one is the one of `spki`.
bool SamePublicKey(const Spec &spec, ByteSpan given, ByteSpan spki) {
  DerReader file(spki);
  DerReader info = file.Inside(der::kSequence);
  info.Value(der::kSequence);
  const ByteSpan expected = info.BitString();
  if (spec.curve != nullptr) {
    return SamePoint(given, expected);
  }
  return std::equal(given.begin(), given.end(), expected.begin(),
                    expected.end());
}

Status AcceptOnCurve(const KeyParts &parts, KeyPair *out) {
  const ec::Curve &curve = *ec::FindCurve(parts.spec->curve);
  const BignumPtr d = ToSecretNumber(parts.secret);
  if (d == nullptr) {
    return OutOfMemory(kImport);
  }
  KeyPair pair;
  KeyParts encoded;
  if (!ec::Encode(curve, d.get(), &pair).ok() ||
      !ReadPrivateKey(pair.private_key.span(), &encoded) ||
      !Consistent(encoded) ||
      (!parts.public_key.empty() &&
       !SamePoint(parts.public_key, encoded.public_key))) {
    return Refused("the numbers of the key on the curve do not fit together");
  }
  *out = std::move(pair);
  return Status::Ok();
}

// OpenSSL derives everything from the seed and compares what else came.
Status AcceptMlDsa(const KeyParts &parts, KeyPair *out) {
  if (!HasMlDsa()) {
    return Status(StatusCode::kUnsupported,
                  "ML-DSA needs Node.js with OpenSSL 3.5 or later");
  }
  if (parts.secret.empty()) {
    return Refused("an ML-DSA key must come with its seed");
  }
  if (ToPkey(parts) == nullptr) {
    return Refused("the seed and the key of ML-DSA do not fit together");
  }
  return EncodeMlDsa(parts.spec->type, parts.secret, out);
}

Status AcceptPair(const KeyParts &parts, const AbortFlag &abort, KeyPair *out) {
  switch (parts.spec->family) {
    case Family::kRsa:
      return AcceptRsa(parts, abort, out);
    case Family::kEc:
    case Family::kSm2:
      return AcceptOnCurve(parts, out);
    case Family::kEd25519:
      return ec::EncodeEd25519(parts.secret, out);
    case Family::kMlDsa:
      return AcceptMlDsa(parts, out);
    case Family::kBytes:
      break;
  }
  return Status(StatusCode::kInternal, "this is no pair");
}

}  // namespace

Status AcceptMaterial(const Spec &spec, ByteSpan given, const AbortFlag &abort,
                      Material *out) {
  if (spec.family == Family::kBytes) {
    if (given.size() != spec.size) {
      return Refused("the key material has the wrong length");
    }
    *out = {envelope::SecretKind::kBytes, SecretBytes(given), {}};
    return Status::Ok();
  }
  KeyParts parts;
  if (!ReadPrivateKey(given, &parts) || parts.spec != &spec) {
    return Refused("the key material is no PKCS #8 key of the KMS key's spec");
  }
  KeyPair pair;
  PAIRMINT_RETURN_IF_ERROR(AcceptPair(parts, abort, &pair));
  if (!parts.attached_public_key.empty() &&
      !SamePublicKey(spec, parts.attached_public_key, pair.public_key)) {
    return Refused("the public key is not the private key's");
  }
  *out = {envelope::SecretKind::kPrivateKey, std::move(pair.private_key),
          std::move(pair.public_key)};
  return Status::Ok();
}

}  // namespace pairmint::keys
