#include "mont/dispatch.h"

#include <openssl/bn.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>

#include "core/openssl.h"
#include "core/secret_bytes.h"

#if defined(__x86_64__) || defined(_M_X64)
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace pairmint::mont {
namespace {

#if defined(__x86_64__) || defined(_M_X64)
struct CpuidLeaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuidLeaf Cpuid(uint32_t leaf) {
  // Zeros for a leaf that the processor does not have: no feature is there.
  CpuidLeaf out;
#if defined(_MSC_VER)
  int max[4], values[4];
  __cpuid(max, 0);
  if (static_cast<uint32_t>(max[0]) >= leaf) {
    __cpuidex(values, static_cast<int>(leaf), 0);
    out = {static_cast<uint32_t>(values[0]), static_cast<uint32_t>(values[1]),
           static_cast<uint32_t>(values[2]), static_cast<uint32_t>(values[3])};
  }
#else
  __get_cpuid_count(leaf, 0, &out.eax, &out.ebx, &out.ecx, &out.edx);
#endif
  return out;
}

// What the environment variable leaves of leaf 1, ecx, and leaf 7, ebx, as
// OPENSSL_ia32cap(3) has it: a mask ("~0x...") or a value for the first vector,
// and, behind a colon, one for the second. Without a colon nothing is left of
// the second. Instructions that are off there are off for all arithmetic.
struct Features {
  uint32_t leaf1_ecx, leaf7_ebx;
};

uint64_t Masked(const char *text, uint64_t features) {
  if (*text == '~') {
    return features & ~std::strtoull(text + 1, nullptr, 0);
  }
  return std::strtoull(text, nullptr, 0);
}

Features AllowedFeatures() {
  const Features all = {Cpuid(1).ecx, Cpuid(7).ebx};
  const char *text = std::getenv("OPENSSL_ia32cap");
  if (text == nullptr) {
    return all;
  }
  const char *second = std::strchr(text, ':');
  const uint64_t leaf1 = uint64_t{all.leaf1_ecx} << 32;
  return {*text == ':' ? all.leaf1_ecx
                       : static_cast<uint32_t>(Masked(text, leaf1) >> 32),
          second == nullptr
              ? 0
              : static_cast<uint32_t>(Masked(second + 1, all.leaf7_ebx))};
}

uint64_t EnabledState() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
#endif
}

// Whether the processor has AVX and the `features` of leaf 7, ebx, and the
// operating system saves the registers of `state`: a processor alone is not
// enough (virtual machines, old kernels).
bool Has(uint32_t features, uint64_t state) {
  constexpr uint32_t kOsxsave = 1u << 27;  // leaf 1, ecx
  constexpr uint32_t kAvx = 1u << 28;
  const Features allowed = AllowedFeatures();
  // OSXSAVE, which says that xgetbv exists, is asked of the processor itself:
  // OpenSSL's variable is about instructions for arithmetic.
  return (Cpuid(1).ecx & kOsxsave) != 0 && (allowed.leaf1_ecx & kAvx) != 0 &&
         (EnabledState() & state) == state &&
         (allowed.leaf7_ebx & features) == features;
}

constexpr uint64_t kYmmState = 1u << 1 | 1u << 2;
// Opmask, upper ZMM0-15, ZMM16-31.
constexpr uint64_t kZmmState = kYmmState | 1u << 5 | 1u << 6 | 1u << 7;

bool HasAvx512Ifma() {
  // AVX512F, DQ, IFMA, VL
  return Has(1u << 16 | 1u << 17 | 1u << 21 | 1u << 31, kZmmState);
}

bool HasAvx2() { return Has(1u << 5, kYmmState); }
#else
bool HasAvx512Ifma() { return false; }
bool HasAvx2() { return false; }
#endif

bool Always() { return true; }
bool Never() { return false; }

struct Row {
  // The value of PAIRMINT_KERNEL that asks for it.
  const char *name;
  const Kernel *(*kernel)();
  bool (*capable)();
  // A kernel that can run need not be worth running. So far each one is: every
  // processor with IFMA multiplies eight lanes at least three times as fast as
  // OpenSSL, which does one after the other, and four lanes with AVX2 need two
  // thirds of the time that OpenSSL's code for MULX and ADX takes.
  bool (*preferred)();
};

// Best first. What is portable of our code is for curves (ec/dispatch.cc): the
// name asks for all arithmetic as it is on processors without a row of theirs.
constexpr std::array<Row, 4> kRows = {{
    {"avx512ifma", Avx512IfmaKernel, HasAvx512Ifma, Always},
    {"avx2", Avx2Kernel, HasAvx2, Always},
    {"portable", OpenSslKernel, Always, Never},
    {"openssl", OpenSslKernel, Always, Always},
}};

bool Capable(const Row &row) {
  return row.kernel() != nullptr && row.capable();
}

// Pseudorandom words for the comparison (splitmix64): public, the same in
// every process.
uint64_t NextWord(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

void FillWords(int bits, bool ones, uint64_t *state, uint64_t *words) {
  // All ones carry as far as anything can; random words find what is wrong
  // for nearly every number.
  for (int w = 0; w < (bits + 63) / 64; w++) {
    words[w] = ones ? ~uint64_t{0} : NextWord(state);
  }
  const int above = bits % 64;
  if (above != 0) {
    words[bits / 64] &= (uint64_t{1} << above) - 1;
  }
}

// Eight digits of five bits, the windows of the kernels. Lane 2 has all ones,
// whose digits ask for the last entry of a table; that entry is a product of
// those below it, so an error in making any of them shows. The reference takes
// a squaring for each bit: with a full exponent of 2,048 bits the first key
// would wait up to 50 times as long for the comparison.
constexpr int kCheckExponentBits = 40;

// kUnknown if memory ran out: nothing is known of the kernel then.
enum class Agreement { kAgrees, kDisagrees, kUnknown };

// Powers of eight numbers, one of them all ones, as the reference computes
// them. Short exponents, because the reference is slow: every carry and every
// table entry is used all the same.
Agreement AgreesWithReference(const Kernel &kernel, int bits,
                              uint8_t *workspace) {
  auto n = std::make_unique<Numbers>();
  auto base = std::make_unique<Numbers>();
  auto exponent = std::make_unique<Numbers>();
  auto expected = std::make_unique<Numbers>();
  auto computed = std::make_unique<Numbers>();
  uint64_t state = static_cast<uint64_t>(bits);
  for (int lane = 0; lane < kLanes; lane++) {
    FillWords(bits, lane == 0, &state, n->words[lane]);
    // Odd, and of exactly `bits` bits, as the contract asks. A base of one bit
    // less is below n without a comparison.
    n->words[lane][0] |= 1;
    n->words[lane][(bits - 1) / 64] |= uint64_t{1} << ((bits - 1) % 64);
    FillWords(bits - 1, lane == 1, &state, base->words[lane]);
    FillWords(kCheckExponentBits, lane == 2, &state, exponent->words[lane]);
  }
  if (!ReferenceKernel()->mod_exp(bits, kLanes, *n, *base, *exponent,
                                  kCheckExponentBits, nullptr,
                                  expected.get()) ||
      !kernel.mod_exp(bits, kLanes, *n, *base, *exponent, kCheckExponentBits,
                      workspace, computed.get())) {
    return Agreement::kUnknown;
  }
  for (int lane = 0; lane < kLanes; lane++) {
    if (memcmp(expected->words[lane], computed->words[lane],
               static_cast<size_t>((bits + 63) / 64) * 8) != 0) {
      return Agreement::kDisagrees;
    }
  }
  return Agreement::kAgrees;
}

// The primes of the Internet's Diffie-Hellman groups (RFC 2409, RFC 3526)
// among multiples of three of the same length.
Agreement KnowsPrimes(const Kernel &kernel, int bits, uint8_t *workspace) {
  const core::BignumPtr prime(bits < 1536 ? BN_get_rfc2409_prime_1024(nullptr)
                              : bits < 2048
                                  ? BN_get_rfc3526_prime_1536(nullptr)
                                  : BN_get_rfc3526_prime_2048(nullptr));
  auto n = std::make_unique<Numbers>();
  std::array<unsigned char, kWords * 8> bytes;
  if (prime == nullptr ||
      BN_bn2lebinpad(prime.get(), bytes.data(), bytes.size()) < 0) {
    return Agreement::kUnknown;
  }
  // An even distance to the multiple of three below.
  const uint64_t distance = BN_mod_word(prime.get(), 3) == 1 ? 4 : 2;
  // No rotation and no mirror image of this pattern is the pattern again, so
  // that lanes which are confused with each other show. None of the three
  // multiples of three is a pseudoprime to base 2.
  constexpr unsigned kPrimeLanes = 0b01001101;
  for (int lane = 0; lane < kLanes; lane++) {
    for (size_t i = 0; i < bytes.size(); i++) {
      n->words[lane][i / 8] |= uint64_t{bytes[i]} << (i % 8 * 8);
    }
    // The lowest 64 bits of all these primes are ones: nothing is borrowed.
    n->words[lane][0] -= (kPrimeLanes >> lane & 1) != 0 ? 0 : distance;
  }
  Verdicts verdicts;
  if (!kernel.fermat_base2(BN_num_bits(prime.get()), kLanes, *n, workspace,
                           &verdicts)) {
    return Agreement::kUnknown;
  }
  for (int lane = 0; lane < kLanes; lane++) {
    if (verdicts.lanes[lane] != (kPrimeLanes >> lane & 1)) {
      return Agreement::kDisagrees;
    }
  }
  return Agreement::kAgrees;
}

Agreement Agrees(const Kernel &kernel, int bits) {
  core::SecretBytes workspace(kernel.workspace_len);
  const Agreement powers = AgreesWithReference(kernel, bits, workspace.data());
  return powers == Agreement::kAgrees
             ? KnowsPrimes(kernel, bits, workspace.data())
             : powers;
}

class Dispatch {
 public:
  const Kernel &For(int bits) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Kernel &kernel = Chosen();
    if (&kernel == OpenSslKernel()) {
      return kernel;
    }
    if (bits < kernel.min_bits || bits > kernel.max_bits) {
      return *OpenSslKernel();
    }
    // Comparing takes some milliseconds, once for each length in a process that
    // makes keys: it finds the fault of a compiler or a processor before a key
    // depends on it.
    //
    // A kernel may have code of its own for each of the three lengths; other
    // lengths are not minted and share the comparison of the next one below.
    bool &compared = compared_[bits < 1536 ? 0 : bits < 2048 ? 1 : 2];
    if (!compared) {
      const Agreement agreement = Agrees(kernel, bits);
      if (agreement == Agreement::kDisagrees) {
        SwitchOffLocked("it disagrees with the reference");
      }
      if (agreement != Agreement::kAgrees) {
        return *OpenSslKernel();
      }
      compared = true;
    }
    return kernel;
  }

  // The rest of the process does without the kernel: a fault that comes and
  // goes is not gone because the next comparison agrees.
  void SwitchOff(const Kernel &kernel, const std::string &reason) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (&kernel == chosen_) {
      SwitchOffLocked(reason);
    }
  }

  bool SwitchedOff(const Kernel &kernel) const {
    return switched_off_.load(std::memory_order_acquire) == &kernel;
  }

  Report GetReport() {
    const std::lock_guard<std::mutex> lock(mutex_);
    Report report;
    for (const Row &row : kRows) {
      if (Capable(row)) {
        report.names.emplace_back(row.name);
      }
      if (row.kernel() != nullptr &&
          std::string_view(row.name) == row.kernel()->name) {
        report.kernels.push_back({row.name, row.capable(), row.preferred()});
      }
    }
    report.chosen = Chosen().name;
    report.requested = requested_;
    report.request_refused = request_refused_;
    report.switched_off = reason_;
    report.audits = audits_.load(std::memory_order_relaxed);
    return report;
  }

  void CountAudit() { audits_.fetch_add(1, std::memory_order_relaxed); }

  void ChooseForTest(const Kernel *kernel, bool compared) {
    const std::lock_guard<std::mutex> lock(mutex_);
    chosen_ = kernel;
    requested_.clear();
    request_refused_ = false;
    switched_off_ = nullptr;
    reason_.clear();
    compared_.fill(compared);
  }

 private:
  const Kernel &Chosen() {
    if (chosen_ == nullptr) {
      Choose();
    }
    const Kernel *chosen = chosen_;
    return chosen == nullptr || switched_off_.load() == chosen
               ? *OpenSslKernel()
               : *chosen;
  }

  // By the table alone, never by timing: what another process does at that
  // moment must not decide for the life of this one.
  void Choose() {
    const char *request = std::getenv("PAIRMINT_KERNEL");
    requested_ = request == nullptr ? "" : request;
    request_refused_ = !requested_.empty();
    for (const Row &row : kRows) {
      if (!Capable(row)) {
        continue;
      }
      if (requested_ == row.name) {
        chosen_ = row.kernel();
        request_refused_ = false;
        return;
      }
      if (chosen_ == nullptr && row.preferred()) {
        chosen_ = row.kernel();
      }
    }
  }

  void SwitchOffLocked(const std::string &reason) {
    if (chosen_ != OpenSslKernel()) {
      reason_ = std::string(chosen_->name) + ": " + reason;
      switched_off_.store(chosen_, std::memory_order_release);
    }
  }

  std::mutex mutex_;
  const Kernel *chosen_ = nullptr;
  std::string requested_;
  bool request_refused_ = false;
  std::atomic<const Kernel *> switched_off_{nullptr};
  std::string reason_;
  std::array<bool, 3> compared_{};  // by width: 1024, 1536, 2048
  std::atomic<uint64_t> audits_{0};
};

// Never destroyed: what is made after the crew would go before its threads are
// joined, and one of them may still mint while the process exits.
Dispatch &TheDispatch() {
  static Dispatch *dispatch = new Dispatch;
  return *dispatch;
}

}  // namespace

const Kernel &KernelFor(int bits) { return TheDispatch().For(bits); }

void SwitchOff(const Kernel &kernel, const std::string &reason) {
  TheDispatch().SwitchOff(kernel, reason);
}

bool SwitchedOff(const Kernel &kernel) {
  return TheDispatch().SwitchedOff(kernel);
}

bool Recheck(const Kernel &kernel, int bits) {
  if (&kernel == OpenSslKernel() ||
      Agrees(kernel, bits) != Agreement::kDisagrees) {
    return true;
  }
  SwitchOff(kernel, "it disagrees with the reference");
  return false;
}

void CountAudit() { TheDispatch().CountAudit(); }

Report GetReport() { return TheDispatch().GetReport(); }

#if defined(PAIRMINT_TESTING)
void ChooseForTest(const Kernel *kernel, bool compared) {
  TheDispatch().ChooseForTest(kernel, compared);
}
#endif

}  // namespace pairmint::mont
