#include "pool/lot.h"

#include <algorithm>
#include <utility>

#include "core/words.h"
#include "envelope/blob.h"
#include "keys/key_parts.h"
#include "rsa/assemble.h"

namespace pairmint::pool {
namespace {

using core::ByteSpan;
using core::KeyPair;
using core::MutableByteSpan;
using core::SecretBytes;
using core::Status;
using core::StatusCode;

// A record: the length of what follows (2 bytes, big-endian), its form, and
//   kEncoded: the public key's length (2 bytes), the public key, the private
//             key, both in DER;
//   kNumbers: p, q and q^-1 mod p, of the primes' length, and d, of twice that.
enum class Form : uint8_t { kEncoded = 1, kNumbers = 2 };

constexpr size_t kLengthLen = 2;
constexpr size_t kHeaderLen = kLengthLen + 1;
// Three numbers of one length and one of two.
constexpr size_t kPrimeLengths = 5;

// Writes into a buffer that the caller knows to be long enough.
class Writer {
 public:
  explicit Writer(MutableByteSpan out) : out_(out) {}

  void Length(size_t len) {
    core::StoreBigEndian(len, out_.first(kLengthLen));
    out_ = out_.subspan(kLengthLen);
  }
  void Byte(uint8_t byte) { Bytes({&byte, 1}); }
  void Bytes(ByteSpan bytes) {
    std::copy(bytes.begin(), bytes.end(), out_.begin());
    out_ = out_.subspan(bytes.size());
  }
  // A big-endian number with leading zeros.
  void Number(ByteSpan number, size_t len) {
    out_ = out_.subspan(len - number.size());
    Bytes(number);
  }

 private:
  MutableByteSpan out_;  // zeros
};

// A cursor that only moves forward; after a read that did not fit it is at
// nothing and later reads are empty.
class Reader {
 public:
  explicit Reader(ByteSpan rest) : rest_(rest) {}

  ByteSpan Bytes(size_t len) {
    if (rest_.size() < len) {
      rest_ = {};
      return {};
    }
    const ByteSpan bytes = rest_.first(len);
    rest_ = rest_.subspan(len);
    return bytes;
  }
  size_t Length() { return core::LoadBigEndian(Bytes(kLengthLen)); }
  ByteSpan Rest() { return Bytes(rest_.size()); }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  ByteSpan rest_;
};

Status NoPair() { return Status(StatusCode::kInvalidCiphertext); }

Status ReadNumbers(ByteSpan numbers, KeyPair *out) {
  const size_t prime_len = numbers.size() / kPrimeLengths;
  Reader reader(numbers);
  rsa::KeyNumbers key;
  for (ByteSpan *number : {&key.p, &key.q, &key.qinv}) {
    *number = reader.Bytes(prime_len);
  }
  key.d = reader.Rest();
  SecretBytes room;
  PAIRMINT_RETURN_IF_ERROR(rsa::CompleteKey(&key, &room));
  return rsa::Encode(key, out);
}

Status ReadEncoded(ByteSpan encoded, KeyPair *out) {
  Reader reader(encoded);
  const ByteSpan public_key = reader.Bytes(reader.Length());
  const ByteSpan private_key = reader.Rest();
  if (public_key.empty() || private_key.empty()) {
    return NoPair();
  }
  out->public_key.assign(public_key.begin(), public_key.end());
  out->private_key = SecretBytes(private_key);
  return Status::Ok();
}

}  // namespace

LotWriter::LotWriter() : bytes_(envelope::kMaxPlaintextLen) {}

Status LotWriter::Add(const KeyPair &pair) {
  keys::KeyParts parts;
  if (!keys::ReadPrivateKey(pair.private_key.span(), &parts)) {
    return Status(StatusCode::kInternal, "a new pair cannot be read");
  }
  const bool is_rsa = !parts.rsa[keys::kP].empty();
  const size_t prime_len = parts.rsa[keys::kP].size();
  const size_t content_len =
      is_rsa ? kPrimeLengths * prime_len
             : kLengthLen + pair.public_key.size() + pair.private_key.size();
  if (bytes_.size() - size_ < kHeaderLen + content_len) {
    return Status(StatusCode::kInvalidArgument,
                  "the pairs are too many for one lot");
  }
  Writer writer(bytes_.mutable_span().subspan(size_));
  writer.Length(1 + content_len);
  if (is_rsa) {
    writer.Byte(static_cast<uint8_t>(Form::kNumbers));
    for (const auto number : {keys::kP, keys::kQ, keys::kQinv}) {
      writer.Number(parts.rsa[number], prime_len);
    }
    writer.Number(parts.rsa[keys::kD], 2 * prime_len);
  } else {
    writer.Byte(static_cast<uint8_t>(Form::kEncoded));
    writer.Length(pair.public_key.size());
    writer.Bytes(pair.public_key);
    writer.Bytes(pair.private_key.span());
  }
  size_ += kHeaderLen + content_len;
  return Status::Ok();
}

Status ReadLot(ByteSpan lot, size_t index, KeyPair *out) {
  Reader reader(lot);
  for (size_t i = 0; i < index && !reader.done(); i++) {
    reader.Bytes(reader.Length());
  }
  Reader record(reader.Bytes(reader.Length()));
  const ByteSpan form = record.Bytes(1);
  if (form.empty()) {
    return NoPair();
  }
  switch (Form{form[0]}) {
    case Form::kEncoded:
      return ReadEncoded(record.Rest(), out);
    case Form::kNumbers:
      return ReadNumbers(record.Rest(), out);
  }
  return NoPair();
}

}  // namespace pairmint::pool
