#ifndef NATIVE_CORE_STATUS_H_
#define NATIVE_CORE_STATUS_H_

#include <string>
#include <utility>

namespace pairmint::core {

enum class StatusCode {
  kOk,
  kInvalidArgument,
  // JavaScript passed something else than the handle that is needed.
  kInvalidHandle,
  // Every way a ciphertext can be wrong. Carries no detail on purpose: the
  // difference between two refusals is what a forger looks for.
  kInvalidCiphertext,
  // A wrapped record that does not unwrap under this root key.
  kInvalidRecord,
  // An import token that is not one of ours for this key.
  kInvalidToken,
  // What was brought for import is no key of the kind that the KMS key needs.
  kInvalidKeyMaterial,
  kRootKeyMissing,
  kRootKeyRefused,
  kIo,
  // The random number generator failed; nothing was produced.
  kEntropy,
  // The OpenSSL inside this Node lacks the algorithm.
  kUnsupported,
  // The request was abandoned by its caller.
  kAborted,
  kInternal,
};

// Status is the outcome of a step that can fail. Outputs of a function that
// returns a Status are written only when it is ok().
class [[nodiscard]] Status {
 public:
  Status() = default;
  explicit Status(StatusCode code, std::string message = {})
      : code_(code), message_(std::move(message)) {}

  static Status Ok() { return Status(); }

  [[nodiscard]] bool ok() const { return code_ == StatusCode::kOk; }
  [[nodiscard]] StatusCode code() const { return code_; }
  // For people; never contains key material.
  [[nodiscard]] const std::string &message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

// A step that fails on good input only when something below it does, as OpenSSL
// when memory is short.
inline Status Failed(const std::string &what) {
  return Status(StatusCode::kInternal, what + " failed");
}

inline Status OutOfMemory(const std::string &during) {
  return Status(StatusCode::kInternal, "out of memory in " + during);
}

}  // namespace pairmint::core

// Leaves the enclosing function with the Status of `expr` unless it is ok.
#define PAIRMINT_RETURN_IF_ERROR(expr)             \
  do {                                             \
    ::pairmint::core::Status status_here = (expr); \
    if (!status_here.ok()) {                       \
      return status_here;                          \
    }                                              \
  } while (false)

#endif  // NATIVE_CORE_STATUS_H_
