// The prime search and its steps.
#include <uv.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <vector>

#include "core/random.h"
#include "core/secret_box.h"
#include "core/words.h"
#include "internals_util.h"
#include "mont/dispatch.h"
#include "rsa/assemble.h"
#include "rsa/divisors.h"
#include "rsa/primality.h"
#include "rsa/prime_stream.h"
#include "rsa/search.h"
#include "rsa/verdict.h"

namespace pairmint::internals {
namespace {

using core::AbortFlag;
using core::Status;
using core::StatusCode;
using rsa::Key;

double CpuMilliseconds() {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 +
         static_cast<double>(now.tv_nsec) / 1e6;
#else
  return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC;
#endif
}

Napi::Value KeyObject(Napi::Env env, const Key &key) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("n", FromBignum(env, key.n.get()));
  out.Set("e", FromBignum(env, key.e.get()));
  out.Set("d", FromBignum(env, key.d.get()));
  out.Set("p", FromBignum(env, key.p.get()));
  out.Set("q", FromBignum(env, key.q.get()));
  out.Set("dp", FromBignum(env, key.dp.get()));
  out.Set("dq", FromBignum(env, key.dq.get()));
  out.Set("qinv", FromBignum(env, key.qinv.get()));
  core::KeyPair pair;
  if (rsa::Encode(key, &pair).ok()) {
    out.Set("publicKey",
            Napi::Buffer<uint8_t>::Copy(env, pair.public_key.data(),
                                        pair.public_key.size()));
    out.Set("privateKey",
            Napi::Buffer<uint8_t>::Copy(env, pair.private_key.data(),
                                        pair.private_key.size()));
  }
  return out;
}

// generateRsa(bits) -> key with cpuMs
Napi::Value GenerateRsa(const Napi::CallbackInfo &info) {
  const AbortFlag abort;
  rsa::Search search(info[0].As<Napi::Number>(), abort);
  std::optional<Key> key;
  const double begun = CpuMilliseconds();
  const Status status = search.Run(&key);
  const double spent = CpuMilliseconds() - begun;
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return info.Env().Undefined();
  }
  Napi::Object out = KeyObject(info.Env(), *key).As<Napi::Object>();
  out.Set("cpuMs", spent);
  return out;
}

// A stream of candidates that a JavaScript function gives, one a call, as
// big-endian bytes; undefined ends it.
class JsSource : public rsa::CandidateSource {
 public:
  JsSource(Napi::Function next, size_t len) : next_(next), len_(len) {}

  Status Draw(core::MutableByteSpan out) override {
    for (size_t at = 0; at < out.size(); at += len_) {
      const Napi::HandleScope scope(next_.Env());
      const Napi::Value candidate = next_.Call({});
      if (!candidate.IsBuffer()) {
        return Status(StatusCode::kEntropy, "the stream has ended");
      }
      const auto bytes = candidate.As<Napi::Buffer<uint8_t>>();
      std::copy_n(bytes.Data(), len_, out.data() + at);
    }
    return Status::Ok();
  }

 private:
  Napi::Function next_;
  size_t len_;
};

// searchRsa(bits, next, {auditPeriod}) -> key with cpuMs
Napi::Value SearchRsa(const Napi::CallbackInfo &info) {
  const int bits = info[0].As<Napi::Number>();
  const auto js = info[2].As<Napi::Object>();
  JsSource source(info[1].As<Napi::Function>(), static_cast<size_t>(bits) / 16);
  rsa::SearchOptions options;
  options.source = info[1].IsFunction() ? &source : nullptr;
  if (js.Get("auditPeriod").IsNumber()) {
    options.audit_period = static_cast<uint64_t>(
        js.Get("auditPeriod").As<Napi::Number>().Int64Value());
  }
  const AbortFlag abort;
  rsa::Search search(bits, abort, options);
  std::optional<Key> key;
  const double begun = CpuMilliseconds();
  const Status status = search.Run(&key);
  const double spent = CpuMilliseconds() - begun;
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return info.Env().Undefined();
  }
  Napi::Object out = KeyObject(info.Env(), *key).As<Napi::Object>();
  out.Set("cpuMs", spent);
  return out;
}

// det-keygen tests the candidates that the product's trial division would
// refuse because of e, too: this one is simple and knows nothing of e.
bool HasSmallFactor(const BIGNUM *number) {
  for (BN_ULONG divisor = 3; divisor < 2000; divisor += 2) {
    if (BN_mod_word(number, divisor) == 0) {
      return true;
    }
  }
  return false;
}

// c2sp.org/det-keygen: e = 65537 and gcd(p - 1, q - 1) are looked at when there
// is a pair, which is refused unless both p - 1 and q - 1 are coprime to e and
// have no common factor above 2^32.
bool AcceptedByDetKeygen(const BIGNUM *p, const BIGNUM *q) {
  const core::BnCtxPtr ctx(BN_CTX_new());
  const core::BignumPtr e(BN_new());
  const core::BignumPtr p_minus_1(BN_dup(p));
  const core::BignumPtr q_minus_1(BN_dup(q));
  const core::BignumPtr gcd(BN_new());
  BN_set_word(e.get(), rsa::kPublicExponent);
  BN_sub_word(p_minus_1.get(), 1);
  BN_sub_word(q_minus_1.get(), 1);
  return BN_gcd(gcd.get(), p_minus_1.get(), q_minus_1.get(), ctx.get()) == 1 &&
         BN_num_bits(gcd.get()) <= 32 && rsa::CoprimeToExponent(p, e.get()) &&
         rsa::CoprimeToExponent(q, e.get());
}

// Draws candidates for det-keygen and gives their results one by one.
class TestedCandidates {
 public:
  TestedCandidates(int bits, JsSource *source)
      : bits_(bits),
        kernel_(mont::KernelFor(bits)),
        source_(source),
        candidate_(static_cast<size_t>(bits) / 8),
        workspace_(kernel_.workspace_len) {}

  Status GiveNext(rsa::PrimeStream *stream, rsa::PrimeStream::State *state) {
    if (lane_ == kernel_.batch_len) {
      PAIRMINT_RETURN_IF_ERROR(TestBatch());
    }
    *state = stream->Take(numbers_->words[lane_], counts_[lane_],
                          verdicts_.lanes[lane_] != 0);
    lane_++;
    return Status::Ok();
  }

 private:
  Status TestBatch() {
    for (lane_ = 0; lane_ < kernel_.batch_len; lane_++) {
      counts_[lane_] = 0;
      do {
        PAIRMINT_RETURN_IF_ERROR(source_->Draw(candidate_.mutable_span()));
        candidate_.data()[0] |= 0xc0;
        candidate_.data()[candidate_.size() - 1] |= 0x07;
        core::ToWords(candidate_.span(), numbers_->words[lane_]);
        counts_[lane_]++;
      } while (HasSmallFactor(core::ToBignum(numbers_->words[lane_]).get()));
    }
    lane_ = 0;
    return kernel_.fermat_base2(bits_, kernel_.batch_len, *numbers_,
                                workspace_.data(), &verdicts_)
               ? Status::Ok()
               : Status(StatusCode::kInternal);
  }

  const int bits_;
  const mont::Kernel &kernel_;
  JsSource *const source_;
  core::SecretBytes candidate_;
  core::SecretBytes workspace_;
  core::SecretBox<mont::Numbers> numbers_;
  std::array<uint64_t, mont::kLanes> counts_ = {};
  mont::Verdicts verdicts_ = {};
  int lane_ = kernel_.batch_len;
};

Status DetKeygenKey(int bits, JsSource *source, Key *out) {
  using State = rsa::PrimeStream::State;
  const AbortFlag abort;
  const mont::Kernel &kernel = mont::KernelFor(bits / 2);
  TestedCandidates candidates(bits / 2, source);
  rsa::PrimeStream stream(bits / 2);
  rsa::Verdict verdict;
  do {
    for (State state = State::kSearching; state != State::kComplete;) {
      PAIRMINT_RETURN_IF_ERROR(candidates.GiveNext(&stream, &state));
    }
    PAIRMINT_RETURN_IF_ERROR(
        rsa::VerifyPrimes(kernel, bits / 2, stream.pair(), abort, &verdict));
    const auto p = core::ToBignum(stream.pair().words[0]);
    const auto q = core::ToBignum(stream.pair().words[1]);
    if (verdict == rsa::Verdict::kAccepted &&
        !AcceptedByDetKeygen(p.get(), q.get())) {
      verdict = rsa::Verdict::kRefusedBoth;
    }
    if (verdict == rsa::Verdict::kAccepted) {
      PAIRMINT_RETURN_IF_ERROR(
          rsa::AssembleKey(p.get(), q.get(), bits, &verdict, out));
    }
    stream.Refuse(verdict);
  } while (verdict != rsa::Verdict::kAccepted);
  PAIRMINT_RETURN_IF_ERROR(rsa::CheckNumbers(*out));
  return rsa::PairwiseTest(*out);
}

// detKeygen(bits, next) -> key by the rules of c2sp.org/det-keygen, with the
// product's kernel of the moment, stream, tests and assembly
Napi::Value DetKeygen(const Napi::CallbackInfo &info) {
  const int bits = info[0].As<Napi::Number>();
  JsSource source(info[1].As<Napi::Function>(), static_cast<size_t>(bits) / 16);
  Key key;
  const Status status = DetKeygenKey(bits, &source, &key);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
    return info.Env().Undefined();
  }
  return KeyObject(info.Env(), key);
}

struct Thread {
  rsa::Search *search;
  uv_thread_t id;
  Status status;
  std::optional<Key> key;
  double cpu_ms = 0;
};

void RunThread(void *data) {
  auto *thread = static_cast<Thread *>(data);
  thread->status = thread->search->Run(&thread->key);
  thread->cpu_ms = CpuMilliseconds();
}

// searchRsaInThreads(bits, threads, abortAfterMs) ->
// {keys, statuses, wallMs, cpuMs, stoppedMs}: how many threads have a key, and
// how long it took after an abort until all had returned.
Napi::Value SearchRsaInThreads(const Napi::CallbackInfo &info) {
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  AbortFlag abort;
  rsa::Search search(info[0].As<Napi::Number>(), abort);
  std::vector<Thread> threads(info[1].As<Napi::Number>().Uint32Value());
  const auto begun = Clock::now();
  for (Thread &thread : threads) {
    thread.search = &search;
    uv_thread_create(&thread.id, RunThread, &thread);
  }
  auto aborted = begun;
  if (info[2].IsNumber()) {
    const Milliseconds wait(info[2].As<Napi::Number>().DoubleValue());
    while (Clock::now() - begun < wait) {
    }
    aborted = Clock::now();
    abort.Raise();
  }
  double cpu_ms = 0;
  Napi::Object out = Napi::Object::New(info.Env());
  Napi::Array keys = Napi::Array::New(info.Env());
  Napi::Array statuses = Napi::Array::New(info.Env());
  for (Thread &thread : threads) {
    uv_thread_join(&thread.id);
    cpu_ms += thread.cpu_ms;
    statuses[statuses.Length()] =
        Napi::Number::New(info.Env(), static_cast<int>(thread.status.code()));
    if (thread.key.has_value()) {
      keys[keys.Length()] = KeyObject(info.Env(), *thread.key);
    }
  }
  out.Set("keys", keys);
  out.Set("statuses", statuses);
  out.Set("cpuMs", cpu_ms);
  out.Set("wallMs", Milliseconds(Clock::now() - begun).count());
  out.Set("stoppedMs", Milliseconds(Clock::now() - aborted).count());
  return out;
}

// survives(bits, numbers, {lanes}) -> booleans
Napi::Value Survives(const Napi::CallbackInfo &info) {
  const int bits = info[0].As<Napi::Number>();
  const auto numbers = info[1].As<Napi::Array>();
  const auto js = info[2].As<Napi::Object>();
  const bool lanes = js.Get("lanes").ToBoolean();
  Napi::Array out = Napi::Array::New(info.Env(), numbers.Length());
  auto n = std::make_unique<mont::Numbers>();
  for (uint32_t i = 0; i < numbers.Length(); i++) {
    const int lane = static_cast<int>(i % mont::kLanes);
    core::ToWords(ToBignum(numbers[i]).get(), n->words[lane]);
    bool survives;
    if (lanes) {
      const mont::Kernel &kernel = *mont::Avx512IfmaKernel();
      const auto &divisors = rsa::LaneDivisors::For(bits);
      core::SecretBytes workspace(kernel.workspace_len);
      mont::Verdicts verdicts = {};
      verdicts.lanes[lane] = 1;
      for (const auto &stage : divisors.stages) {
        kernel.divide(bits, &divisors.groups[stage.first_group],
                      stage.num_groups, *n, workspace.data(), &verdicts);
      }
      survives = verdicts.lanes[lane] != 0;
    } else {
      std::vector<size_t> alive = {0};
      survives = rsa::PortableDivisors::For(bits).Keep(n->words[lane],
                                                       AbortFlag(), &alive) &&
                 !alive.empty();
    }
    out[i] = Napi::Boolean::New(info.Env(), survives);
  }
  return out;
}

// millerRabin(w, rounds) -> boolean, by OpenSSL
Napi::Value MillerRabin(const Napi::CallbackInfo &info) {
  const AbortFlag abort;
  bool out = false;
  const Status status = rsa::MillerRabin(
      ToBignum(info[0]).get(), info[1].As<Napi::Number>(), abort, &out);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
  }
  return Napi::Boolean::New(info.Env(), out);
}

// millerRabinRound(w, b) -> boolean, by OpenSSL
Napi::Value MillerRabinRound(const Napi::CallbackInfo &info) {
  bool out = false;
  const Status status = rsa::MillerRabinRound(ToBignum(info[0]).get(),
                                              ToBignum(info[1]).get(), &out);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
  }
  return Napi::Boolean::New(info.Env(), out);
}

// millerRabinInLanes(bits, numbers (two at most), rounds) -> booleans, by the
// kernel of the moment
Napi::Value MillerRabinInLanes(const Napi::CallbackInfo &info) {
  const AbortFlag abort;
  const int bits = info[0].As<Napi::Number>();
  const auto numbers = info[1].As<Napi::Array>();
  core::SecretBox<mont::Numbers> w;
  for (uint32_t i = 0; i < numbers.Length(); i++) {
    core::ToWords(ToBignum(numbers[i]).get(), w->words[i]);
  }
  bool verdicts[2] = {};
  const Status status = rsa::MillerRabinInLanes(
      mont::KernelFor(bits), bits, *w, static_cast<int>(numbers.Length()),
      info[2].As<Napi::Number>(), abort, verdicts);
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
  }
  Napi::Array out = Napi::Array::New(info.Env());
  for (uint32_t i = 0; i < numbers.Length(); i++) {
    out[i] = Napi::Boolean::New(info.Env(), verdicts[i]);
  }
  return out;
}

// acceptable(bits, e, p, q) -> which criteria of A.1.1 hold, without primality
Napi::Value Acceptable(const Napi::CallbackInfo &info) {
  const int bits = info[0].As<Napi::Number>();
  const auto e = ToBignum(info[1]);
  const auto p = ToBignum(info[2]);
  const auto q = ToBignum(info[3]);
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("inRange",
          rsa::InRange(p.get(), bits) && rsa::InRange(q.get(), bits));
  out.Set("coprime", rsa::CoprimeToExponent(p.get(), e.get()) &&
                         rsa::CoprimeToExponent(q.get(), e.get()));
  out.Set("farApart", rsa::FarApart(p.get(), q.get(), bits));
  return out;
}

// assembleRsa(bits, p, q) -> key or the refusal's name
Napi::Value AssembleRsa(const Napi::CallbackInfo &info) {
  Key key;
  rsa::Verdict verdict;
  Status status =
      rsa::AssembleKey(ToBignum(info[1]).get(), ToBignum(info[2]).get(),
                       info[0].As<Napi::Number>(), &verdict, &key);
  if (status.ok() && verdict == rsa::Verdict::kRefusedQ) {
    return Napi::String::New(info.Env(), "refused q");
  }
  if (status.ok() && verdict == rsa::Verdict::kRefusedBoth) {
    return Napi::String::New(info.Env(), "refused both");
  }
  return KeyObject(info.Env(), key);
}

Key KeyOf(const Napi::Object &js) {
  Key key;
  key.n = ToBignum(js.Get("n"));
  key.e = ToBignum(js.Get("e"));
  key.d = ToBignum(js.Get("d"));
  key.p = ToBignum(js.Get("p"));
  key.q = ToBignum(js.Get("q"));
  key.dp = ToBignum(js.Get("dp"));
  key.dq = ToBignum(js.Get("dq"));
  key.qinv = ToBignum(js.Get("qinv"));
  return key;
}

// pairwiseTest(key), checkNumbers(key): throw when the key is inconsistent
template <Status (*kCheck)(const Key &)>
void CheckKey(const Napi::CallbackInfo &info) {
  const Status status = kCheck(KeyOf(info[0].As<Napi::Object>()));
  if (!status.ok()) {
    ThrowStatus(info.Env(), status);
  }
}

void FailRandomAfter(const Napi::CallbackInfo &info) {
  core::FailRandomAfter(info[0].As<Napi::Number>());
}

}  // namespace

Napi::Object ExportRsa(Napi::Env env, Napi::Object exports) {
  exports.Set("generateRsa", Napi::Function::New(env, GenerateRsa));
  exports.Set("searchRsa", Napi::Function::New(env, SearchRsa));
  exports.Set("detKeygen", Napi::Function::New(env, DetKeygen));
  exports.Set("searchRsaInThreads",
              Napi::Function::New(env, SearchRsaInThreads));
  exports.Set("survives", Napi::Function::New(env, Survives));
  exports.Set("millerRabin", Napi::Function::New(env, MillerRabin));
  exports.Set("millerRabinRound", Napi::Function::New(env, MillerRabinRound));
  exports.Set("millerRabinInLanes",
              Napi::Function::New(env, MillerRabinInLanes));
  exports.Set("acceptable", Napi::Function::New(env, Acceptable));
  exports.Set("assembleRsa", Napi::Function::New(env, AssembleRsa));
  exports.Set("pairwiseTest",
              Napi::Function::New(env, CheckKey<rsa::PairwiseTest>));
  exports.Set("checkNumbers",
              Napi::Function::New(env, CheckKey<rsa::CheckNumbers>));
  exports.Set("failRandomAfter", Napi::Function::New(env, FailRandomAfter));
  return exports;
}

}  // namespace pairmint::internals
