#ifndef NATIVE_POOL_LOT_H_
#define NATIVE_POOL_LOT_H_

#include "core/bytes.h"
#include "core/key_pair.h"
#include "core/secret_bytes.h"
#include "core/status.h"

namespace pairmint::pool {

// A lot is what lies under one seal of a pool: the pairs of one crossing, each
// in the form that takes the least room and no noticeable time to read. Pools
// hold many: an RSA_4096 pair takes 1,283 bytes in a lot and 2,926 as it is
// answered.

// LotWriter collects pairs in locked memory.
class LotWriter {
 public:
  LotWriter();

  // Fails with kInvalidArgument if the lot would be too long to seal.
  core::Status Add(const core::KeyPair &pair);
  [[nodiscard]] core::ByteSpan written() const {
    return bytes_.span().first(size_);
  }

 private:
  core::SecretBytes bytes_;
  size_t size_ = 0;
};

// Reads the pair number `index` of a lot, with the encodings that it had when
// it was added. Fails with kInvalidCiphertext if there is none.
core::Status ReadLot(core::ByteSpan lot, size_t index, core::KeyPair *out);

}  // namespace pairmint::pool

#endif  // NATIVE_POOL_LOT_H_
