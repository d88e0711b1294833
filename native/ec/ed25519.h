#ifndef NATIVE_EC_ED25519_H_
#define NATIVE_EC_ED25519_H_

#include <span>

#include "core/abort_flag.h"
#include "core/key_pair.h"
#include "core/status.h"

namespace pairmint::ec {

// Draws an Ed25519 private key (RFC 8032, 5.1.5) and encodes the pair (RFC
// 8410). From the 257th of the process on, lanes compute the public key
// (edwards.h) if it is theirs to do; if they are caught miscalculating, they
// are switched off, and OpenSSL does it.
core::Status MintEd25519(const core::AbortFlag &abort, core::KeyPair *out);

// Mints a pair for every element of `out`. After a failure some may be written,
// but must not be used.
// `may_set_up`: whether it may be this call that makes the tables of the lanes,
// which takes milliseconds; otherwise OpenSSL computes until another one has.
core::Status MintSeveralEd25519(const core::AbortFlag &abort, bool may_set_up,
                                std::span<core::KeyPair> out);

// Whether nothing is to be set up for the next pair.
bool IsEd25519Quick();

// Encodes the pair of the 32-byte private key `seed`.
core::Status EncodeEd25519(core::ByteSpan seed, core::KeyPair *out);

#if defined(PAIRMINT_TESTING)
// Has lanes compute from the next pair on; `use` false: as at the start of the
// process.
void UseLanesForTest(bool use);
#endif

}  // namespace pairmint::ec

#endif  // NATIVE_EC_ED25519_H_
