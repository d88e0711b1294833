#include "core/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <ctime>
#include <mutex>

#include "core/process_number.h"
#include "core/secret_bytes.h"

namespace pairmint::core {
namespace {

#if defined(PAIRMINT_TESTING)
std::atomic<int> calls_left{-1};
std::atomic<int> num_draws{0};
std::atomic<bool> draws_fail{false};

// Counts a draw, and tells whether it is to fail.
bool PlantedDrawFailure() {
  num_draws.fetch_add(1);
  return draws_fail.load();
}

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
constexpr bool PlantedDrawFailure() { return false; }
#endif

Status NoRandomBytes() {
  return Status(StatusCode::kEntropy, "the random number generator failed");
}

Status Draw(MutableByteSpan out) {
  const bool fails = PlantedDrawFailure();
  MutableByteSpan rest = out;
  while (!rest.empty()) {
    const size_t len = std::min<size_t>(rest.size(), INT_MAX);
    if (fails || RAND_priv_bytes(rest.data(), static_cast<int>(len)) != 1) {
      OPENSSL_cleanse(out.data(), out.size());
      return NoRandomBytes();
    }
    rest = rest.subspan(len);
  }
  return Status::Ok();
}

// Random bytes that wait, of all threads. OpenSSL's part of a draw costs as
// much as 4 KiB of output, most of it for the question whether the process was
// forked; so short draws take their bytes from here.
class Stock {
 public:
  // `out` is no longer than kLongest.
  Status Take(MutableByteSpan out) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (rest_.size() < out.size() || !IsFresh()) {
      PAIRMINT_RETURN_IF_ERROR(Refill());
    }
    const MutableByteSpan taken = rest_.first(out.size());
    std::copy(taken.begin(), taken.end(), out.begin());
    Wipe(taken);
    rest_ = rest_.subspan(out.size());
    return Status::Ok();
  }

  // Longer ones gain little.
  static constexpr size_t kLongest = 256;

 private:
  // A few dozen data keys' worth.
  static constexpr size_t kLen = 2048;

  // Whether nobody else can have the same bytes: neither a process that was
  // forked off, nor, by more than a second, a virtual machine that was started
  // twice from one image. OpenSSL's generator asks for process and time, too.
  [[nodiscard]] bool IsFresh() const {
    return process_ == ProcessNumber() && second_ == std::time(nullptr);
  }

  Status Refill() {
    rest_ = {};
    process_ = ProcessNumber();
    second_ = std::time(nullptr);
    PAIRMINT_RETURN_IF_ERROR(Draw(bytes_.mutable_span()));
    rest_ = bytes_.mutable_span();
    return Status::Ok();
  }

  std::mutex mutex_;
  SecretBytes bytes_{kLen};
  MutableByteSpan rest_;
  uint64_t process_ = 0;
  std::time_t second_ = 0;
};

// Never destroyed: a worker may still draw while the process exits.
Stock &TheStock() {
  static Stock *stock = new Stock;
  return *stock;
}

}  // namespace

#if defined(PAIRMINT_TESTING)
void FailRandomAfter(int calls) { calls_left.store(calls); }

void FailDraws(bool fail) { draws_fail.store(fail); }
int CountDraws() { return num_draws.load(); }
#endif

Status FillRandom(MutableByteSpan out) {
  if (PlantedFailure()) {
    OPENSSL_cleanse(out.data(), out.size());
    return NoRandomBytes();
  }
  if (out.size() > Stock::kLongest) {
    return Draw(out);
  }
  Status status = TheStock().Take(out);
  if (!status.ok()) {
    OPENSSL_cleanse(out.data(), out.size());
  }
  return status;
}

}  // namespace pairmint::core
