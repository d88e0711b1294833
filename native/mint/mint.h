#ifndef NATIVE_MINT_MINT_H_
#define NATIVE_MINT_MINT_H_

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "core/abort_flag.h"
#include "core/key_pair.h"
#include "core/status.h"

namespace pairmint::mint {

// Minting is the making of one pair.
class Minting {
 public:
  Minting() = default;
  virtual ~Minting() = default;
  Minting(const Minting &) = delete;
  Minting &operator=(const Minting &) = delete;

  // Works on the pair until there is nothing left to do for this thread.
  // Exactly one call sets `out` or, after a failure, all calls fail.
  virtual core::Status Work(std::optional<core::KeyPair> *out) = 0;
  // Whether several threads may be in Work at the same time.
  [[nodiscard]] virtual bool Shareable() const = 0;
};

// Begins a pair of the spec that KMS calls `spec` (DataKeyPairSpec, or ML_DSA_*
// of KeySpec); nullptr if there is no such spec. `abort` must outlive the
// minting and makes Work return kAborted within 10 ms.
std::unique_ptr<Minting> Begin(std::string_view spec,
                               const core::AbortFlag &abort);

// Whether a pair of the spec takes up to seconds of a core, and not
// milliseconds.
bool IsLong(std::string_view spec);

// Whether a pair of the spec, alone or with others, takes less time now than
// the way to another thread and back. It is not known before our arithmetic is
// set up, which takes milliseconds and is left to other threads.
bool IsQuick(std::string_view spec);

// Mints a pair of the spec for every element of `out`, one after the other or,
// where that takes less time, together. kInvalidArgument if there is no such
// spec. `may_set_up`: whether it may make the tables of our arithmetic, which
// takes milliseconds.
core::Status MintSeveral(std::string_view spec, const core::AbortFlag &abort,
                         bool may_set_up, std::span<core::KeyPair> out);

}  // namespace pairmint::mint

#endif  // NATIVE_MINT_MINT_H_
