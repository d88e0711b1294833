#ifndef NATIVE_KEYS_ML_DSA_H_
#define NATIVE_KEYS_ML_DSA_H_

#include "core/key_pair.h"
#include "core/status.h"

namespace pairmint::keys {

// Draws the seed of a key of `type` ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87";
// FIPS 204, algorithm 1) and encodes the pair. kUnsupported if OpenSSL has
// no ML-DSA.
core::Status MintMlDsa(const char *type, core::KeyPair *out);

// Encodes the pair of a 32-byte seed, which is the private key (RFC 9881).
core::Status EncodeMlDsa(const char *type, core::ByteSpan seed,
                         core::KeyPair *out);

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_ML_DSA_H_
