#ifndef NATIVE_KEYS_AGREEMENT_H_
#define NATIVE_KEYS_AGREEMENT_H_

#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"

namespace pairmint::keys {

// Computes the shared secret of a private key and another's public key on the
// same curve: the x coordinate of their product, in the field's full length
// (SP 800-56A rev 3, 5.7.1.2; the cofactor of our curves is 1).
// kInvalidArgument if they are not on one curve.
core::Status DeriveSharedSecret(core::ByteSpan pkcs8, core::ByteSpan spki,
                                core::SecretBytes *out);

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_AGREEMENT_H_
