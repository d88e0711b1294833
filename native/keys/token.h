#ifndef NATIVE_KEYS_TOKEN_H_
#define NATIVE_KEYS_TOKEN_H_

#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"
#include "envelope/key_material.h"

namespace pairmint::keys {

// An import token: the private key that unwraps what will be imported, wrapped
// as a record of its own kind. docs/envelope.md section 6. Nothing has to be
// remembered for it.

// Makes the token of `wrapping_key` (PrivateKeyInfo) for the key `key_id`, with
// `attributes` in the clear that cannot be changed.
core::Status CreateToken(core::ByteSpan root_key, const envelope::KeyId &key_id,
                         core::ByteSpan attributes, core::ByteSpan wrapping_key,
                         core::Bytes *out);

// Opens a token; kInvalidToken if it was not made under this root key for
// this key, or any byte of it is another one.
core::Status OpenToken(core::ByteSpan root_key, const envelope::KeyId &key_id,
                       core::ByteSpan token, core::Bytes *attributes,
                       core::SecretBytes *wrapping_key);

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_TOKEN_H_
