#ifndef NATIVE_EC_ED25519_H_
#define NATIVE_EC_ED25519_H_

#include "core/key_pair.h"
#include "core/status.h"

namespace pairmint::ec {

// Draws an Ed25519 private key (RFC 8032, 5.1.5) and encodes the pair (RFC
// 8410).
core::Status MintEd25519(core::KeyPair *out);

// Encodes the pair of the 32-byte private key `seed`.
core::Status EncodeEd25519(core::ByteSpan seed, core::KeyPair *out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_ED25519_H_
