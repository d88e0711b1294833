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

// A plain pointer: nothing is destroyed when the thread ends.
thread_local DrawAhead *ahead = nullptr;

Status NoRandomBytes() {
  return Status(StatusCode::kEntropy, "the random number generator failed");
}

Status Draw(MutableByteSpan out) {
  MutableByteSpan rest = out;
  while (!rest.empty()) {
    const size_t len = std::min<size_t>(rest.size(), INT_MAX);
    if (RAND_priv_bytes(rest.data(), static_cast<int>(len)) != 1) {
      OPENSSL_cleanse(out.data(), out.size());
      return NoRandomBytes();
    }
    rest = rest.subspan(len);
  }
  return Status::Ok();
}

}  // namespace

#if defined(PAIRMINT_TESTING)
void FailRandomAfter(int calls) { calls_left.store(calls); }
#endif

DrawAhead::DrawAhead(size_t size) : bytes_(size), rest_(bytes_.mutable_span()) {
  ahead = this;
}

DrawAhead::~DrawAhead() { ahead = nullptr; }

Status DrawAhead::Take(MutableByteSpan out) {
  if (out.size() > rest_.size()) {
    return Draw(out);
  }
  if (!drawn_) {
    Status status = Draw(rest_);
    if (!status.ok()) {
      OPENSSL_cleanse(out.data(), out.size());
      return status;
    }
    drawn_ = true;
  }
  const MutableByteSpan taken = rest_.first(out.size());
  std::copy(taken.begin(), taken.end(), out.begin());
  OPENSSL_cleanse(taken.data(), taken.size());
  rest_ = rest_.subspan(out.size());
  return Status::Ok();
}

Status FillRandom(MutableByteSpan out) {
  if (PlantedFailure()) {
    OPENSSL_cleanse(out.data(), out.size());
    return NoRandomBytes();
  }
  return ahead == nullptr ? Draw(out) : ahead->Take(out);
}

}  // namespace pairmint::core
