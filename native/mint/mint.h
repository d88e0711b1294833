#ifndef NATIVE_MINT_MINT_H_
#define NATIVE_MINT_MINT_H_

#include <string_view>

#include "core/abort_flag.h"
#include "core/key_pair.h"
#include "core/status.h"

namespace pairmint::mint {

// Spec is one row of the table of data key pair specs.
struct Spec {
  // AWS's name for it: DataKeyPairSpec in the KMS API.
  std::string_view name;
  core::Status (*mint)(const core::AbortFlag &abort, core::KeyPair *out);
};

// The spec that KMS calls `name`, or nullptr.
const Spec *FindSpec(std::string_view name);

}  // namespace pairmint::mint

#endif  // NATIVE_MINT_MINT_H_
