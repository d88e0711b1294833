#include "keys/token.h"

#include "core/words.h"
#include "envelope/record.h"

namespace pairmint::keys {
namespace {

using core::Bytes;
using core::ByteSpan;
using core::SecretBytes;
using core::Status;
using core::StatusCode;
using envelope::KeyId;
using envelope::SecretKind;

// The length of the header stands in front of it.
constexpr size_t kLengthLen = 4;

// Cuts a token into its record; false if it is too short to be one.
bool Cut(ByteSpan token, ByteSpan *header, ByteSpan *wrapped) {
  if (token.size() < kLengthLen) {
    return false;
  }
  const size_t header_len = core::LoadBigEndian(token.first(kLengthLen));
  const ByteSpan rest = token.subspan(kLengthLen);
  if (header_len < envelope::kRecordPrefixLen || header_len > rest.size()) {
    return false;
  }
  *header = rest.first(header_len);
  *wrapped = rest.subspan(header_len);
  return true;
}

}  // namespace

Status CreateToken(ByteSpan root_key, const KeyId &key_id, ByteSpan attributes,
                   ByteSpan wrapping_key, Bytes *out) {
  envelope::Record record;
  PAIRMINT_RETURN_IF_ERROR(
      envelope::CreateRecord(root_key, SecretKind::kWrappingKey, key_id,
                             attributes, wrapping_key, &record));
  Bytes token(kLengthLen);
  core::StoreBigEndian(record.header.size(), token);
  token.insert(token.end(), record.header.begin(), record.header.end());
  token.insert(token.end(), record.wrapped.begin(), record.wrapped.end());
  *out = std::move(token);
  return Status::Ok();
}

Status OpenToken(ByteSpan root_key, const KeyId &key_id, ByteSpan token,
                 Bytes *attributes, SecretBytes *wrapping_key) {
  ByteSpan header;
  ByteSpan wrapped;
  envelope::KeyMaterial opened;
  if (!Cut(token, &header, &wrapped)) {
    return Status(StatusCode::kInvalidToken);
  }
  const Status status =
      envelope::OpenRecord(root_key, header, wrapped, &opened);
  if (status.code() == StatusCode::kInvalidRecord ||
      (status.ok() &&
       (opened.kind != SecretKind::kWrappingKey || opened.key_id != key_id))) {
    return Status(StatusCode::kInvalidToken);
  }
  PAIRMINT_RETURN_IF_ERROR(status);
  const ByteSpan tail = header.subspan(envelope::kRecordPrefixLen);
  attributes->assign(tail.begin(), tail.end());
  *wrapping_key = std::move(opened.secret);
  return Status::Ok();
}

}  // namespace pairmint::keys
