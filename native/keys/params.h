#ifndef NATIVE_KEYS_PARAMS_H_
#define NATIVE_KEYS_PARAMS_H_

#include <openssl/params.h>

#include <array>

#include "core/bytes.h"
#include "core/secret_bytes.h"

namespace pairmint::keys {

// Params is a list of what OpenSSL is told about a key or an operation. Texts
// and octets are not copied and must outlive it; numbers, which OpenSSL wants
// in the machine's byte order, are turned around in locked memory.
class Params {
 public:
  // `number_bytes`: the bytes of all numbers together.
  explicit Params(size_t number_bytes = 0) : numbers_(number_bytes) {
    list_[0] = OSSL_PARAM_construct_end();
  }

  Params &Number(const char *key, core::ByteSpan big_endian);
  Params &Octets(const char *key, core::ByteSpan bytes);
  // Leaves out what is empty.
  Params &OctetsIfAny(const char *key, core::ByteSpan bytes);
  Params &Text(const char *key, const char *text);
  // `number` must outlive the list.
  Params &Int(const char *key, int *number);

  [[nodiscard]] bool empty() const { return num_params_ == 0; }
  [[nodiscard]] OSSL_PARAM *list() { return list_.data(); }

 private:
  Params &Add(const OSSL_PARAM &param);

  core::SecretBytes numbers_;
  size_t num_number_bytes_ = 0;
  // The longest list is that of an RSA private key: eight numbers and the end.
  std::array<OSSL_PARAM, 9> list_;
  size_t num_params_ = 0;
};

}  // namespace pairmint::keys

#endif  // NATIVE_KEYS_PARAMS_H_
