#include "ec/openssl_code.h"

#include <openssl/obj_mac.h>

#include <algorithm>
#include <array>

#include "core/process_function.h"

namespace pairmint::ec {

// A group knows the code that computes in it. The functions are deprecated and
// may be gone from a later OpenSSL, which is then taken to be like all so far.
bool OpenSslHasOwnCode(const Curve &curve) {
  using MethodOf = const EC_METHOD *(*)(const EC_GROUP *);
  using Method = const EC_METHOD *(*)();
  static const auto kMethodOf =
      core::FindProcessFunction<MethodOf>("EC_GROUP_method_of");
  static const std::array<Method, 3> kForAnyPrime = {
      core::FindProcessFunction<Method>("EC_GFp_mont_method"),
      core::FindProcessFunction<Method>("EC_GFp_nist_method"),
      core::FindProcessFunction<Method>("EC_GFp_simple_method")};
  const EC_GROUP *group = GroupOf(curve);
  if (kMethodOf == nullptr || kForAnyPrime[0] == nullptr || group == nullptr) {
    return curve.nid == NID_X9_62_prime256v1;
  }
  const EC_METHOD *method = kMethodOf(group);
  return std::none_of(kForAnyPrime.begin(), kForAnyPrime.end(),
                      [method](Method generic) {
                        return generic != nullptr && generic() == method;
                      });
}

}  // namespace pairmint::ec
