#ifndef NATIVE_ENVELOPE_RECORD_H_
#define NATIVE_ENVELOPE_RECORD_H_

#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"
#include "envelope/key_material.h"

namespace pairmint::envelope {

// Key material at rest: docs/envelope.md section 6. A record is a header in
// the clear and the material wrapped under a key that depends on every byte of
// that header.

constexpr size_t kRootKeyLen = 32;
// "DK", the letter of the kind, version 1, key id, material id; attributes
// follow.
constexpr size_t kRecordPrefixLen = 4 + kKeyIdLen + kMaterialIdLen;

struct Record {
  core::Bytes header;
  core::Bytes wrapped;
};

// Makes the record of `secret` as material of the key `key_id`. `attributes`
// are the bytes of the header behind the material id.
core::Status CreateRecord(core::ByteSpan root_key, SecretKind kind,
                          const KeyId &key_id, core::ByteSpan attributes,
                          core::ByteSpan secret, Record *out);

// Opens a record of any kind; kInvalidRecord if any byte of it is not as it
// was made, or the root key is another one.
core::Status OpenRecord(core::ByteSpan root_key, core::ByteSpan header,
                        core::ByteSpan wrapped, KeyMaterial *out);

// Wraps under the key that is bound to `header`. CreateRecord's second half,
// apart so that known answers can be checked.
core::Status WrapMaterial(core::ByteSpan root_key, core::ByteSpan header,
                          core::ByteSpan material, core::Bytes *out);

// Authenticates mutable state that belongs to `key_id`; `out` has 32 bytes.
core::Status StateMac(core::ByteSpan root_key, const KeyId &key_id,
                      core::ByteSpan state, core::MutableByteSpan out);

}  // namespace pairmint::envelope

#endif  // NATIVE_ENVELOPE_RECORD_H_
