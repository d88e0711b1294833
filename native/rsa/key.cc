#include "rsa/key.h"

#include <array>

#include "core/der.h"

namespace pairmint::rsa {
namespace {

using core::DerWriter;
using core::Status;
using core::StatusCode;

// AlgorithmIdentifier { rsaEncryption 1.2.840.113549.1.1.1, NULL }, RFC 8017.
constexpr std::array<uint8_t, 15> kAlgorithm = {0x30, 0x0d, 0x06, 0x09, 0x2a,
                                                0x86, 0x48, 0x86, 0xf7, 0x0d,
                                                0x01, 0x01, 0x01, 0x05, 0x00};
// INTEGER 0: the version of PrivateKeyInfo and of RSAPrivateKey alike.
constexpr std::array<uint8_t, 3> kVersion0 = {0x02, 0x01, 0x00};
constexpr uint8_t kSequence = 0x30;
constexpr uint8_t kOctetString = 0x04;
constexpr uint8_t kBitString = 0x03;

// An RSA-4096 PrivateKeyInfo has 2,376 bytes at most.
constexpr size_t kMaxPublicLen = 1024;
constexpr size_t kMaxPrivateLen = 4096;

void WritePublic(const Key &key, DerWriter *der) {
  const size_t end = der->position();
  der->Integer(key.e.get());
  der->Integer(key.n.get());
  der->Header(kSequence, end);
  der->Byte(0);  // unused bits of the BIT STRING
  der->Header(kBitString, end);
  der->Bytes(kAlgorithm);
  der->Header(kSequence, end);
}

void WritePrivate(const Key &key, DerWriter *der) {
  const size_t end = der->position();
  for (const BIGNUM *number :
       {key.qinv.get(), key.dq.get(), key.dp.get(), key.q.get(), key.p.get(),
        key.d.get(), key.e.get(), key.n.get()}) {
    der->Integer(number);
  }
  der->Bytes(kVersion0);
  der->Header(kSequence, end);
  der->Header(kOctetString, end);
  der->Bytes(kAlgorithm);
  der->Bytes(kVersion0);
  der->Header(kSequence, end);
}

}  // namespace

Status Encode(const Key &key, core::KeyPair *out) {
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
  const core::ByteSpan spki = public_der.written();
  out->public_key.assign(spki.begin(), spki.end());
  out->private_key = core::SecretBytes(private_der.written());
  return Status::Ok();
}

}  // namespace pairmint::rsa
