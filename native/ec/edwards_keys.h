#ifndef NATIVE_EC_EDWARDS_KEYS_H_
#define NATIVE_EC_EDWARDS_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/bytes.h"
#include "core/secret_bytes.h"
#include "core/status.h"
#include "ec/edwards_lanes.h"
#include "ec/edwards_openssl.h"
#include "ec/edwards_plain.h"
#include "ec/multiply.h"

namespace pairmint::ec {

// Public keys of Ed25519 on lanes, and their check without OpenSSL.
// docs/security.md says why it suffices.

// Keys that are multiplied and checked together.
constexpr size_t kMaxEdwardsLot = 2 * kLanesWide;

// Lanes with their tables.
struct EdwardsEngine {
  const EdwardsLanes *lanes = nullptr;
  std::unique_ptr<PlainEdwards> plain;
  AlignedWords table;
};

using EdwardsAffine = std::array<uint64_t, 2 * kEdwardsWords>;

// A secret number m and the point M = m * G, which OpenSSL computed. It serves
// many keys, as nothing that is done with a sum of key and m depends on the
// sum.
struct EdwardsOffset {
  core::SecretBytes m;  // an EdwardsScalar
  EdwardsAffine point;
};

// Draws one.
core::Status MakeOffset(const EdwardsEngine &engine,
                        std::shared_ptr<const EdwardsOffset> *out);

// Writes the public keys of `affines->size()` private keys, kMaxEdwardsLot at
// most, and their points: a lone one by the table of four bits, several by that
// of five. They are unchecked.
core::Status ComputeKeys(const EdwardsEngine &engine, core::ByteSpan seeds,
                         core::MutableByteSpan out,
                         std::vector<EdwardsAffine> *affines);

// Sets `out` to whether every public key is the encoding of its point, the
// point is on the curve, and its sum with M is what the other table makes of
// the private key's scalar, worked out anew, and m. The lanes have the keys in
// reverse.
core::Status CheckKeys(const EdwardsEngine &engine, const EdwardsOffset &offset,
                       core::ByteSpan seeds, core::ByteSpan keys,
                       const std::vector<EdwardsAffine> &affines, bool *out);

// The public keys of scalars that are public, kMaxEdwardsLot at most, by a
// table, each with its windows split over the lanes or in a lane of its own.
void MultiplyPublic(const EdwardsEngine &engine, LanesTable which,
                    bool is_split, std::span<const EdwardsScalar> scalars,
                    core::MutableByteSpan out);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_EDWARDS_KEYS_H_
