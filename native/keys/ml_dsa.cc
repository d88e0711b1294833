#include "keys/ml_dsa.h"

#include <openssl/core_names.h>

#include <array>

#include "core/der.h"
#include "core/random.h"
#include "keys/key_parts.h"
#include "keys/newer.h"

namespace pairmint::keys {
namespace {

namespace der = core::der;

using core::ByteSpan;
using core::DerWriter;
using core::Failed;
using core::KeyPair;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

constexpr const char *kKeyGeneration = "ML-DSA key generation";

constexpr size_t kSeedLen = 32;
// A PrivateKeyInfo with a seed has 54 bytes, a public key of ML-DSA-87 2,592.
constexpr size_t kMaxPrivateLen = 64;
constexpr size_t kMaxPublicLen = 2650;

const Spec *FindType(const char *type) {
  for (const Spec &spec : Specs()) {
    if (spec.type != nullptr && std::string_view(spec.type) == type) {
      return &spec;
    }
  }
  return nullptr;
}

void WriteAlgorithm(const Spec &spec, DerWriter *der) {
  const size_t end = der->position();
  der->Bytes(spec.oid);
  der->Header(der::kSequence, end);
}

void WritePublic(const Spec &spec, ByteSpan public_key, DerWriter *der) {
  const size_t end = der->position();
  der->Bytes(public_key);
  der->BitStringHeader(end);
  WriteAlgorithm(spec, der);
  der->Header(der::kSequence, end);
}

void WritePrivate(const Spec &spec, ByteSpan seed, DerWriter *der) {
  const size_t end = der->position();
  der->Bytes(seed);
  der->Header(der::kContext0, end);
  der->Header(der::kOctetString, end);
  WriteAlgorithm(spec, der);
  der->SmallInteger(0);
  der->Header(der::kSequence, end);
}

}  // namespace

Status EncodeMlDsa(const char *type, ByteSpan seed, KeyPair *out) {
  if (!HasMlDsa()) {
    return Status(StatusCode::kUnsupported,
                  "ML-DSA needs Node.js with OpenSSL 3.5 or later");
  }
  KeyParts parts;
  parts.spec = FindType(type);
  parts.secret = seed;
  const core::PkeyPtr pkey = ToPkey(parts);
  std::array<uint8_t, kMaxPublicLen> public_key;
  size_t len = 0;
  if (pkey == nullptr || EVP_PKEY_get_octet_string_param(
                             pkey.get(), OSSL_PKEY_PARAM_PUB_KEY,
                             public_key.data(), public_key.size(), &len) != 1) {
    return Failed(kKeyGeneration);
  }
  std::array<uint8_t, kMaxPublicLen> public_buffer;
  SecretBytes private_buffer(kMaxPrivateLen);
  DerWriter public_der(public_buffer);
  DerWriter private_der(private_buffer.mutable_span());
  WritePublic(*parts.spec, ByteSpan(public_key).first(len), &public_der);
  WritePrivate(*parts.spec, seed, &private_der);
  if (!public_der.ok() || !private_der.ok()) {
    return Failed(kKeyGeneration);
  }
  const ByteSpan spki = public_der.written();
  out->public_key.assign(spki.begin(), spki.end());
  out->private_key = SecretBytes(private_der.written());
  return Status::Ok();
}

Status MintMlDsa(const char *type, KeyPair *out) {
  SecretBytes seed(kSeedLen);
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(seed.mutable_span()));
  return EncodeMlDsa(type, seed.span(), out);
}

}  // namespace pairmint::keys
