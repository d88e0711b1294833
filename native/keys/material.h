#ifndef NATIVE_KEYS_MATERIAL_H_
#define NATIVE_KEYS_MATERIAL_H_

#include "core/abort_flag.h"
#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"
#include "envelope/key_material.h"
#include "keys/spec.h"

namespace pairmint::keys {

// What a material record is made of.
struct Material {
  envelope::SecretKind kind = envelope::SecretKind::kBytes;
  core::SecretBytes secret;
  core::Bytes public_key;  // SubjectPublicKeyInfo; empty for kBytes
};

// Makes material of bytes that were made elsewhere: a secret of the spec's
// length, or a PrivateKeyInfo of that very type and size whose numbers agree
// with each other. It is encoded anew, so that one key is one secret however it
// came. kInvalidKeyMaterial if it is not one; kAborted within a round of
// Miller-Rabin.
core::Status AcceptMaterial(const Spec &spec, core::ByteSpan given,
                            const core::AbortFlag &abort, Material *out);

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_MATERIAL_H_
