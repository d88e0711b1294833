#include "keys/params.h"

#include <algorithm>
#include <bit>

namespace pairmint::keys {

using core::ByteSpan;

Params &Params::Add(const OSSL_PARAM &param) {
  list_[num_params_++] = param;
  list_[num_params_] = OSSL_PARAM_construct_end();
  return *this;
}

Params &Params::Number(const char *key, ByteSpan big_endian) {
  uint8_t *number = numbers_.data() + num_number_bytes_;
  num_number_bytes_ += big_endian.size();
  std::copy(big_endian.begin(), big_endian.end(), number);
  if constexpr (std::endian::native == std::endian::little) {
    std::reverse(number, number + big_endian.size());
  }
  return Add(OSSL_PARAM_construct_BN(key, number, big_endian.size()));
}

Params &Params::Octets(const char *key, ByteSpan bytes) {
  return Add(OSSL_PARAM_construct_octet_string(
      key, const_cast<uint8_t *>(bytes.data()), bytes.size()));
}

Params &Params::OctetsIfAny(const char *key, ByteSpan bytes) {
  return bytes.empty() ? *this : Octets(key, bytes);
}

Params &Params::Text(const char *key, const char *text) {
  return Add(
      OSSL_PARAM_construct_utf8_string(key, const_cast<char *>(text), 0));
}

Params &Params::Int(const char *key, int *number) {
  return Add(OSSL_PARAM_construct_int(key, number));
}

}  // namespace pairmint::keys
