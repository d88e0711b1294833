#include "rsa/keygen.h"

#include <optional>

#include "rsa/search.h"

namespace pairmint::rsa {

using core::Status;

Status Generate(int modulus_bits, const core::AbortFlag &abort, Key *out) {
  Search search(modulus_bits, abort);
  std::optional<Key> key;
  PAIRMINT_RETURN_IF_ERROR(search.Run(&key));
  *out = std::move(*key);
  return Status::Ok();
}

}  // namespace pairmint::rsa
