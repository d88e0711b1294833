// core/, ec/, envelope/ and rsa/key for the known-answer tests.
#include <napi.h>
#include <openssl/bn.h>
#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <array>

#include "addon/values.h"
#include "core/random.h"
#include "ec/curve.h"
#include "ec/ed25519.h"
#include "envelope/blob.h"
#include "envelope/kdf.h"
#include "envelope/record.h"
#include "internals.h"
#include "rsa/key.h"

namespace pairmint::internals {
namespace {

using addon::ArrayOf;
using addon::BytesOf;
using addon::ToUint8Array;
using core::Bytes;
using core::SecretBytes;
using core::Status;

// Bytes, or undefined where the status is an error.
template <typename T>
Napi::Value BytesOrUndefined(Napi::Env env, const Status &status,
                             const T &bytes) {
  return status.ok() ? ToUint8Array(env, bytes) : env.Undefined();
}

Napi::Value CounterKdf(const Napi::CallbackInfo &info) {
  Bytes out(info[2].As<Napi::Number>().Uint32Value());
  const Status status =
      envelope::CounterKdf(BytesOf(info[0]), {BytesOf(info[1])}, out);
  return BytesOrUndefined(info.Env(), status, out);
}

Napi::Value DeriveKey(const Napi::CallbackInfo &info) {
  Bytes out(info[3].As<Napi::Number>().Uint32Value());
  const std::string label = info[1].As<Napi::String>();
  const Status status =
      envelope::DeriveKey(BytesOf(info[0]), label, BytesOf(info[2]), out);
  return BytesOrUndefined(info.Env(), status, out);
}

Napi::Value Hmac(const Napi::CallbackInfo &info) {
  Bytes out(envelope::kHmacLen);
  const Status status =
      envelope::Hmac(BytesOf(info[0]), {BytesOf(info[1])}, out);
  return BytesOrUndefined(info.Env(), status, out);
}

Napi::Value GcmSeal(const Napi::CallbackInfo &info) {
  Bytes out(BytesOf(info[3]).size() + envelope::kGcmTagLen);
  const Status status =
      envelope::GcmSeal(BytesOf(info[0]), BytesOf(info[1]), BytesOf(info[2]),
                        BytesOf(info[3]), out);
  return BytesOrUndefined(info.Env(), status, out);
}

Napi::Value GcmOpen(const Napi::CallbackInfo &info) {
  SecretBytes out;
  const Status status =
      envelope::GcmOpen(BytesOf(info[0]), BytesOf(info[1]), BytesOf(info[2]),
                        BytesOf(info[3]), &out);
  return BytesOrUndefined(info.Env(), status, out.span());
}

Napi::Value KwpWrap(const Napi::CallbackInfo &info) {
  Bytes out;
  const Status status =
      envelope::KwpWrap(BytesOf(info[0]), BytesOf(info[1]), &out);
  return BytesOrUndefined(info.Env(), status, out);
}

Napi::Value KwpUnwrap(const Napi::CallbackInfo &info) {
  SecretBytes out;
  const Status status =
      envelope::KwpUnwrap(BytesOf(info[0]), BytesOf(info[1]), &out);
  return BytesOrUndefined(info.Env(), status, out.span());
}

Napi::Value MaterialId(const Napi::CallbackInfo &info) {
  envelope::MaterialId id;
  const Status status = envelope::DeriveMaterialId(
      BytesOf(info[0]), ArrayOf<envelope::kKeyIdLen>(info[1]), &id);
  return BytesOrUndefined(info.Env(), status, id);
}

Napi::Value WrapMaterial(const Napi::CallbackInfo &info) {
  Bytes out;
  const Status status = envelope::WrapMaterial(
      BytesOf(info[0]), BytesOf(info[1]), BytesOf(info[2]), &out);
  return BytesOrUndefined(info.Env(), status, out);
}

// The material of a given secret, as an opened record would have it.
envelope::KeyMaterial MaterialOf(const Napi::Object &args) {
  envelope::KeyMaterial material;
  material.key_id = ArrayOf<envelope::kKeyIdLen>(args.Get("keyId"));
  material.secret = SecretBytes(BytesOf(args.Get("material")));
  const Status status = envelope::DeriveMaterialId(
      material.secret.span(), material.key_id, &material.id);
  if (!status.ok()) {
    material.secret = SecretBytes();
  }
  return material;
}

Napi::Value Seal(const Napi::CallbackInfo &info) {
  const auto args = info[0].As<Napi::Object>();
  const envelope::Freshness freshness = {
      ArrayOf<envelope::kNonceLen>(args.Get("nonce")),
      ArrayOf<envelope::kGcmIvLen>(args.Get("iv"))};
  Bytes out;
  const Status status = envelope::SealWith(
      freshness, MaterialOf(args),
      static_cast<envelope::Kind>(
          args.Get("kind").As<Napi::Number>().Uint32Value()),
      BytesOf(args.Get("context")), BytesOf(args.Get("plaintext")), &out);
  return BytesOrUndefined(info.Env(), status, out);
}

Napi::Value Open(const Napi::CallbackInfo &info) {
  const auto args = info[0].As<Napi::Object>();
  SecretBytes out;
  const Status status =
      envelope::Open(MaterialOf(args), BytesOf(args.Get("context")),
                     BytesOf(args.Get("blob")), &out, nullptr);
  return BytesOrUndefined(info.Env(), status, out.span());
}

Napi::Value Pair(Napi::Env env, const Status &status,
                 const core::KeyPair &pair) {
  if (!status.ok()) {
    return env.Undefined();
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("spki", ToUint8Array(env, pair.public_key));
  out.Set("pkcs8", ToUint8Array(env, pair.private_key.span()));
  return out;
}

core::BignumPtr Number(const Napi::Value &hex) {
  BIGNUM *number = nullptr;
  BN_hex2bn(&number, hex.As<Napi::String>().Utf8Value().c_str());
  return core::BignumPtr(number);
}

Napi::Value EncodeEc(const Napi::CallbackInfo &info) {
  const std::string curve = info[0].As<Napi::String>();
  core::KeyPair pair;
  const Status status =
      ec::Encode(*ec::FindCurve(curve.c_str()), Number(info[1]).get(), &pair);
  return Pair(info.Env(), status, pair);
}

Napi::Value EncodeEd25519(const Napi::CallbackInfo &info) {
  core::KeyPair pair;
  const Status status = ec::EncodeEd25519(BytesOf(info[0]), &pair);
  return Pair(info.Env(), status, pair);
}

Napi::Value EncodeRsa(const Napi::CallbackInfo &info) {
  const auto args = info[0].As<Napi::Object>();
  const rsa::Key key = {Number(args.Get("n")),  Number(args.Get("e")),
                        Number(args.Get("d")),  Number(args.Get("p")),
                        Number(args.Get("q")),  Number(args.Get("dp")),
                        Number(args.Get("dq")), Number(args.Get("qinv"))};
  core::KeyPair pair;
  const Status status = rsa::Encode(key, &pair);
  return Pair(info.Env(), status, pair);
}

Napi::Value CountDraws(const Napi::CallbackInfo &info) {
  return Napi::Number::New(info.Env(), core::CountDraws());
}

#if !defined(_WIN32)
// randomAcrossFork(len) -> what a process that is forked off draws, and what
// this one draws next
Napi::Value RandomAcrossFork(const Napi::CallbackInfo &info) {
  Bytes theirs(info[0].As<Napi::Number>().Uint32Value());
  Bytes ours(theirs.size());
  std::array<int, 2> ends{};
  if (!core::FillRandom(ours).ok() || pipe(ends.data()) != 0) {
    return info.Env().Undefined();
  }
  const pid_t child = fork();
  if (child == 0) {
    const bool drawn = core::FillRandom(theirs).ok();
    _exit(drawn && write(ends[1], theirs.data(), theirs.size()) ==
                       static_cast<ssize_t>(theirs.size())
              ? 0
              : 1);
  }
  const bool told = read(ends[0], theirs.data(), theirs.size()) ==
                    static_cast<ssize_t>(theirs.size());
  waitpid(child, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  if (!told || !core::FillRandom(ours).ok()) {
    return info.Env().Undefined();
  }
  Napi::Array out = Napi::Array::New(info.Env());
  out.Set(uint32_t{0}, ToUint8Array(info.Env(), theirs));
  out.Set(uint32_t{1}, ToUint8Array(info.Env(), ours));
  return out;
}
#endif

Napi::Value FailRandomAfter(const Napi::CallbackInfo &info) {
  core::FailRandomAfter(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

Napi::Value FailDraws(const Napi::CallbackInfo &info) {
  core::FailDraws(info[0].ToBoolean());
  return info.Env().Undefined();
}

}  // namespace

void ExportEnvelope(Napi::Env env, Napi::Object exports) {
  Export(env, exports, {
    {"counterKdf", CounterKdf}, {"deriveKey", DeriveKey}, {"hmac", Hmac},
        {"gcmSeal", GcmSeal}, {"gcmOpen", GcmOpen}, {"kwpWrap", KwpWrap},
        {"kwpUnwrap", KwpUnwrap}, {"materialId", MaterialId},
        {"wrapMaterial", WrapMaterial}, {"seal", Seal}, {"open", Open},
        {"encodeEc", EncodeEc}, {"encodeEd25519", EncodeEd25519},
        {"encodeRsa", EncodeRsa},
#if !defined(_WIN32)
        {"randomAcrossFork", RandomAcrossFork},
#endif
        {"countDraws", CountDraws}, {"failDraws", FailDraws}, {
      "failRandomAfter", FailRandomAfter
    }
  });
}

}  // namespace pairmint::internals
