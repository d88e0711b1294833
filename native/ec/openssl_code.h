#ifndef NATIVE_EC_OPENSSL_CODE_H_
#define NATIVE_EC_OPENSSL_CODE_H_

#include "ec/curve.h"

namespace pairmint::ec {

// Whether this OpenSSL has code made for the curve, which takes less time than
// ours: for P-256 every build has it (tens of microseconds a multiplication),
// for P-521 those with `enable-ec_nistp_64_gcc_128`, as on Debian, and
// since 3.1 for SM2 some on arm64. The others multiply with code for any prime.
bool OpenSslHasOwnCode(const Curve &curve);

}  // namespace pairmint::ec

#endif  // NATIVE_EC_OPENSSL_CODE_H_
