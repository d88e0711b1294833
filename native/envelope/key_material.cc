#include "envelope/key_material.h"

#include "envelope/kdf.h"

namespace pairmint::envelope {

core::Status DeriveMaterialId(core::ByteSpan secret, const KeyId &key_id,
                              MaterialId *out) {
  return DeriveKey(secret, "DKP1 key material id", key_id, *out);
}

}  // namespace pairmint::envelope
