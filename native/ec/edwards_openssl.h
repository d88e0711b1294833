#ifndef NATIVE_EC_EDWARDS_OPENSSL_H_
#define NATIVE_EC_EDWARDS_OPENSSL_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/bytes.h"
#include "core/status.h"

namespace pairmint::ec {

// Bytes of a private key, of which SHA-512 makes a scalar (RFC 8032, 5.1.5),
// and of a public key.
constexpr size_t kEd25519Len = 32;
constexpr const char *kEd25519Keys = "Ed25519 key generation";

// A number below 2^256, the lowest word first.
using EdwardsScalar = std::array<uint64_t, 4>;

// What OpenSSL says of edwards25519.

// The public key of the private key `seed`.
core::Status PublicKeyByOpenSsl(core::ByteSpan seed, core::MutableByteSpan out);

// Takes a number modulo the order of the generator; false on failure. Not in
// constant time: at most one number in 256 keys is reduced, which is no key.
bool ReduceByOpenSsl(EdwardsScalar *in_out);

// Sets `out` to whether OpenSSL tells a right point from a wrong one, so that
// it can be asked by CompareByOpenSsl.
core::Status CanCompareByOpenSsl(bool *out);

// Sets `same` to whether `key` is scalar * generator, for what is public.
core::Status CompareByOpenSsl(const EdwardsScalar &scalar, core::ByteSpan key,
                              bool *same);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_EDWARDS_OPENSSL_H_
