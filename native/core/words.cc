#include "core/words.h"

#include "core/secret_bytes.h"

namespace pairmint::core {

BignumPtr ToBignum(Words words) {
  SecretBytes bytes(words.size_bytes());
  ToBytes(words, bytes.mutable_span());
  BignumPtr number(
      BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  if (number != nullptr) {
    BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  }
  return number;
}

bool ToWords(const BIGNUM *number, MutableWords out) {
  SecretBytes bytes(out.size_bytes());
  if (BN_bn2binpad(number, bytes.data(), static_cast<int>(bytes.size())) < 0) {
    return false;
  }
  ToWords(bytes.span(), out);
  return true;
}

}  // namespace pairmint::core
