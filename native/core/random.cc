#include "core/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <atomic>
#include <climits>

namespace pairmint::core {
namespace {

#if defined(PAIRMINT_TESTING)
std::atomic<int> calls_left{-1};

bool PlantedFailure() {
  const int left = calls_left.load();
  if (left < 0) {
    return false;
  }
  if (left > 0) {
    calls_left.store(left - 1);
    return false;
  }
  return true;
}
#else
constexpr bool PlantedFailure() { return false; }
#endif

}  // namespace

#if defined(PAIRMINT_TESTING)
void FailRandomAfter(int calls) { calls_left.store(calls); }
#endif

Status FillRandom(MutableByteSpan out) {
  MutableByteSpan rest = out;
  while (!rest.empty()) {
    const size_t len = std::min<size_t>(rest.size(), INT_MAX);
    if (PlantedFailure() ||
        RAND_priv_bytes(rest.data(), static_cast<int>(len)) != 1) {
      OPENSSL_cleanse(out.data(), out.size());
      return Status(StatusCode::kEntropy, "the random number generator failed");
    }
    rest = rest.subspan(len);
  }
  return Status::Ok();
}

}  // namespace pairmint::core
