#ifndef NATIVE_RSA_KEYGEN_H_
#define NATIVE_RSA_KEYGEN_H_

#include "core/abort_flag.h"
#include "rsa/key.h"

namespace pairmint::rsa {

// Generates a key whose modulus has exactly `modulus_bits` bits: 2048, 3072 or
// 4096. Stops with kAborted soon after `abort` is raised.
core::Status Generate(int modulus_bits, const core::AbortFlag &abort, Key *out);

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_KEYGEN_H_
