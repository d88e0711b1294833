#include "rsa/key.h"

#include <array>

#include "core/der.h"

namespace pairmint::rsa {
namespace {

namespace der = core::der;

using core::ByteSpan;
using core::DerWriter;
using core::Status;
using core::StatusCode;

// AlgorithmIdentifier { rsaEncryption 1.2.840.113549.1.1.1, NULL }, RFC 8017.
constexpr std::array<uint8_t, 15> kAlgorithm = {0x30, 0x0d, 0x06, 0x09, 0x2a,
                                                0x86, 0x48, 0x86, 0xf7, 0x0d,
                                                0x01, 0x01, 0x01, 0x05, 0x00};

// An RSA_4096 key takes 550 and 2,376 bytes at most. The buffers are constant,
// as the length of an encoding tells how many leading zeros d, dp, dq and qinv
// have; longer moduli, which are not minted, do not fit and are refused.
constexpr size_t kMaxPublicLen = 1024;
constexpr size_t kMaxPrivateLen = 4096;

constexpr std::array<uint8_t, 3> kExponent = {
    kPublicExponent >> 16, kPublicExponent >> 8 & 0xff, kPublicExponent & 0xff};

// What the writers below take of a key, in the order of RFC 8017, A.1.2.
template <typename Number>
struct Parts {
  Number n, e, d, p, q, dp, dq, qinv;
};

template <typename Number>
void WritePublic(const Parts<Number> &key, DerWriter *der) {
  const size_t end = der->position();
  der->Integer(key.e);
  der->Integer(key.n);
  der->Header(der::kSequence, end);
  der->BitStringHeader(end);
  der->Bytes(kAlgorithm);
  der->Header(der::kSequence, end);
}

template <typename Number>
void WritePrivate(const Parts<Number> &key, DerWriter *der) {
  const size_t end = der->position();
  // DER is written from its end, so that each header knows its length.
  for (const Number &number :
       {key.qinv, key.dq, key.dp, key.q, key.p, key.d, key.e, key.n}) {
    der->Integer(number);
  }
  der->SmallInteger(0);
  der->Header(der::kSequence, end);
  der->Header(der::kOctetString, end);
  der->Bytes(kAlgorithm);
  der->SmallInteger(0);
  der->Header(der::kSequence, end);
}

template <typename Number>
Status EncodeParts(const Parts<Number> &key, core::KeyPair *out) {
  std::array<uint8_t, kMaxPublicLen> public_buffer;
  core::SecretBytes private_buffer(kMaxPrivateLen);
  DerWriter public_der(public_buffer);
  DerWriter private_der(private_buffer.mutable_span());
  WritePublic(key, &public_der);
  WritePrivate(key, &private_der);
  if (!public_der.ok() || !private_der.ok()) {
    return Status(StatusCode::kInternal,
                  "an RSA key does not fit its encoding");
  }
  const ByteSpan spki = public_der.written();
  out->public_key.assign(spki.begin(), spki.end());
  out->private_key = core::SecretBytes(private_der.written());
  return Status::Ok();
}

}  // namespace

Status Encode(const Key &key, core::KeyPair *out) {
  const Parts<const BIGNUM *> parts = {
      key.n.get(), key.e.get(),  key.d.get(),  key.p.get(),
      key.q.get(), key.dp.get(), key.dq.get(), key.qinv.get()};
  return EncodeParts(parts, out);
}

Status Encode(const KeyNumbers &key, core::KeyPair *out) {
  const Parts<ByteSpan> parts = {key.n, kExponent, key.d,  key.p,
                                 key.q, key.dp,    key.dq, key.qinv};
  return EncodeParts(parts, out);
}

}  // namespace pairmint::rsa
