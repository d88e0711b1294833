#include "addon/job.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <algorithm>

namespace pairmint::addon {
namespace {

using core::Status;
using core::StatusCode;

const char *CodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "OK";
    case StatusCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case StatusCode::kInvalidHandle:
      return "INVALID_HANDLE";
    case StatusCode::kInvalidCiphertext:
      return "INVALID_CIPHERTEXT";
    case StatusCode::kInvalidRecord:
      return "INVALID_RECORD";
    case StatusCode::kInvalidToken:
      return "INVALID_TOKEN";
    case StatusCode::kInvalidKeyMaterial:
      return "INVALID_KEY_MATERIAL";
    case StatusCode::kRootKeyMissing:
      return "ROOT_KEY_MISSING";
    case StatusCode::kRootKeyRefused:
      return "ROOT_KEY_REFUSED";
    case StatusCode::kIo:
      return "IO";
    case StatusCode::kEntropy:
      return "ENTROPY";
    case StatusCode::kUnsupported:
      return "UNSUPPORTED";
    case StatusCode::kAborted:
      return "ABORTED";
    case StatusCode::kInternal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

}  // namespace

CleanErrorQueue::CleanErrorQueue() { ERR_set_mark(); }

CleanErrorQueue::~CleanErrorQueue() { ERR_pop_to_mark(); }

Napi::Value ToError(Napi::Env env, const Status &status) {
  napi_value code = nullptr;
  napi_value message = nullptr;
  napi_value error = nullptr;
  const char *name = CodeName(status.code());
  const auto create = status.code() == StatusCode::kInvalidHandle
                          ? napi_create_type_error
                          : napi_create_error;
  const char *text = status.message().empty() ? name : status.message().c_str();
  if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code) != napi_ok ||
      napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) !=
          napi_ok ||
      create(env, code, message, &error) != napi_ok) {
    return {};
  }
  return {env, error};
}

Napi::Value Throw(Napi::Env env, const Status &status) {
  const Napi::Value error = ToError(env, status);
  if (!error.IsEmpty()) {
    napi_throw(env, error);
  }
  return {};
}

Napi::Value RunHere(Napi::Env env, Job &job) {
  const CleanErrorQueue clean;
  const Status status = job.arguments().ok() ? job.Run() : job.arguments();
  return status.ok() ? job.Result(env) : Throw(env, status);
}

Napi::Value RunAllHere(Napi::Env env, std::span<PartJob *const> jobs) {
  const CleanErrorQueue clean;
  std::vector<Napi::Value> out(1);
  std::vector<uint32_t> lengths;
  std::vector<core::ByteSpan> parts;
  lengths.reserve(jobs.size() * PartJob::kMaxParts);
  parts.reserve(jobs.size() * PartJob::kMaxParts);
  size_t size = jobs.size() * PartJob::kMaxParts * sizeof(uint32_t);
  for (PartJob *job : jobs) {
    const Status status = job->arguments().ok() ? job->Run() : job->arguments();
    if (!status.ok()) {
      out.push_back(ToError(env, status));
      lengths.insert(lengths.end(), PartJob::kMaxParts, kFailed);
      continue;
    }
    for (const core::ByteSpan part : job->parts()) {
      lengths.push_back(static_cast<uint32_t>(part.size()));
      parts.push_back(part);
      size += part.size();
    }
  }
  void *data = nullptr;
  napi_value packed = nullptr;
  if (napi_create_arraybuffer(env, size, &data, &packed) != napi_ok) {
    return {};
  }
  auto *at = static_cast<uint8_t *>(data);
  at = std::copy_n(reinterpret_cast<const uint8_t *>(lengths.data()),
                   lengths.size() * sizeof(uint32_t), at);
  for (const core::ByteSpan part : parts) {
    at = std::copy(part.begin(), part.end(), at);
  }
  out[0] = {env, packed};
  const Napi::Value array = ToArray(env, out);
  if (array.IsEmpty()) {
    OPENSSL_cleanse(data, size);
  }
  return array;
}

}  // namespace pairmint::addon
