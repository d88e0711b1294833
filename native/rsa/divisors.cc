#include "rsa/divisors.h"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>

#include "rsa/key.h"

namespace pairmint::rsa {
namespace {

using mont::DivisorGroup;

// The best bound is where dividing by one more prime q costs as much as the
// tests it saves: (cost of a base-2 test) / q. By Mertens' third theorem the
// share of odd numbers without a factor below B is 2 e^-gamma / ln B: 10.8 %
// for 2^15 and 9.5 % for 2^17, so that twice 2^15 would save one test in 16,
// for nearly twice as many primes to divide by. The optimum is flat; half or
// twice the bound costs about 1 %.
constexpr uint32_t LaneBound(int bits) {
  return bits < 1536 ? 1u << 15 : bits < 2048 ? 1u << 16 | 1u << 15 : 1u << 17;
}
// A test by OpenSSL takes several times as long as one in a lane, so that more
// division pays for itself.
constexpr uint32_t PortableBound(int bits) {
  return bits < 1536 ? 1u << 16 : bits < 2048 ? 1u << 17 : 1u << 18;
}

// Candidates die quickly at first: 77 % have a factor below 2^7, 85 % below
// 2^11, 88 % below 2^14. Packing the survivors after each of these keeps the
// lanes full.
constexpr std::array<uint32_t, 3> kStageEnds = {1u << 7, 1u << 11, 1u << 14};

std::vector<uint32_t> OddPrimesBelow(uint32_t bound) {
  std::vector<bool> composite(bound);
  std::vector<uint32_t> primes;
  for (uint32_t i = 3; i < bound; i += 2) {
    if (composite[i]) {
      continue;
    }
    primes.push_back(i);
    // Multiples below i^2 have a smaller factor, and even ones are not looked
    // at. i^2 overflows 32 bits from 2^16 on.
    for (uint64_t j = uint64_t{i} * i; j < bound; j += 2 * i) {
      composite[static_cast<size_t>(j)] = true;
    }
  }
  return primes;
}

// q^-1 mod 2^64 by Newton's iteration. An odd q is its own inverse mod 8, and
// each step doubles the number of right bits: five steps from 3 to 96.
uint64_t InverseMod2To64(uint64_t q) {
  uint64_t inverse = q;
  for (int right_bits = 3; right_bits < 64; right_bits *= 2) {
    inverse *= 2 - q * inverse;
  }
  return inverse;
}

// x * 2^bits mod m for x < m < 2^62, in steps so short that no bit is lost: m
// has at most 64 - step bits, and so has x.
uint64_t ShiftMod(uint64_t x, int bits, uint64_t m) {
  int step = 0;
  while (step < bits && m >> (63 - step) == 0) {
    step++;
  }
  for (int done = 0; done < bits; done += step) {
    x = (x << std::min(step, bits - done)) % m;
  }
  return x;
}

// How many of the primes from `at` on fit together below `limit`.
size_t NumFitting(const std::vector<uint32_t> &primes, size_t at,
                  uint64_t limit) {
  uint64_t product = 1;
  size_t count = 0;
  // product < floor(limit / q) means product * q < limit, and cannot overflow.
  while (at + count < primes.size() && product < limit / primes[at + count]) {
    product *= primes[at + count];
    count++;
  }
  return count;
}

// Finds what was made for `bits`, or makes it. Sizes that are not
// minted (the C2SP vectors have some) get tables of their own, too.
template <typename T, typename Make>
const T &Cached(int bits, Make make) {
  struct Entry {
    int bits;
    std::unique_ptr<T> table;
  };
  static std::mutex *const kMutex = new std::mutex;
  static std::vector<Entry> *entries = new std::vector<Entry>;
  const std::lock_guard<std::mutex> lock(*kMutex);
  for (const Entry &entry : *entries) {
    if (entry.bits == bits) {
      return *entry.table;
    }
  }
  entries->push_back({bits, make()});
  return *entries->back().table;
  // Kept for ever, as a thread may still search while the process exits.
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks)
}

constexpr int kLimbBits = 52;
constexpr uint64_t kLimbMask = (uint64_t{1} << kLimbBits) - 1;
// The residue that a group tests is below Q + 2^6 (mont/avx512ifma.cc) and has
// to fit into a limb. 2^52 - 2^6 would do as well, but hardly ever hold one
// prime more; a smaller limit means more groups, whose rows cost two products
// each for every limb of a candidate.
constexpr uint64_t kMaxLaneModulus = uint64_t{1} << 51;
constexpr size_t kRows = DivisorGroup::kRows;

class LaneBuilder {
 public:
  LaneBuilder(int bits, uint32_t bound)
      : num_limbs_((static_cast<size_t>(bits) + kLimbBits - 1) / kLimbBits),
        primes_(OddPrimesBelow(bound)) {}

  std::unique_ptr<LaneDivisors> Build() {
    // A first group of single primes, because that of e has an offset of its
    // own: p mod 65537 != 1 is what A.1.3 wants, and (p + 65536) mod 65537 != 0
    // says the same. The trial division proper follows.
    //
    // Step 4.5 asks for gcd(p - 1, e) = 1. e = 65537 is prime, so that the gcd
    // is e or 1, and this residue takes the place of a gcd of p - 1, whose
    // branches have given keys away in other libraries (CVE-2018-0737). It
    // refuses one candidate in 65,537.
    AddGroup({{{kPublicExponent}, {3}, {5}, {7}}},
             {kPublicExponent - 1, 0, 0, 0});
    // The primes from 11 on: 3, 5 and 7 are in the first group.
    size_t at = 3;
    size_t first_group = 0;
    for (const uint32_t end : kStageEnds) {
      while (at < primes_.size() && primes_[at] < end) {
        at += AddGroupAt(at);
      }
      CloseStage(&first_group);
    }
    while (at < primes_.size()) {
      at += AddGroupAt(at);
    }
    CloseStage(&first_group);
    Connect();
    return std::move(out_);
  }

 private:
  using Rows = std::array<std::vector<uint32_t>, kRows>;

  // Makes a group of the next primes and returns how many they were. Every
  // row has as many primes as fit into the last one, whose are the largest.
  size_t AddGroupAt(size_t at) {
    size_t per_row = NumFitting(primes_, at, kMaxLaneModulus);
    while (per_row > 1 && NumFitting(primes_,
                                     std::min(at + (kRows - 1) * per_row,
                                              primes_.size() - per_row),
                                     kMaxLaneModulus) < per_row) {
      per_row--;
    }
    // The rows before the last one have smaller primes, and so smaller
    // products. per_row is at most 10 and there are thousands of primes: the
    // index above does not become negative.
    Rows rows;
    for (size_t i = 0; i < kRows * per_row; i++) {
      // The last group repeats the last prime.
      rows[i / per_row].push_back(
          primes_[std::min(at + i, primes_.size() - 1)]);
    }
    for (std::vector<uint32_t> &row : rows) {
      row.erase(std::unique(row.begin(), row.end()), row.end());
      // A prime must divide its row's product once only, but be tested in
      // every place.
      uint64_t product = 1;
      for (const uint32_t prime : row) {
        product *= prime;
      }
      products_.push_back(product);
      row.resize(per_row, row.back());
    }
    PushGroup(rows, {});
    return kRows * per_row;
  }

  void AddGroup(const Rows &rows, const std::array<uint64_t, kRows> &offsets) {
    for (const std::vector<uint32_t> &row : rows) {
      products_.push_back(row[0]);
    }
    PushGroup(rows, offsets);
  }

  void PushGroup(const Rows &rows, const std::array<uint64_t, kRows> &offsets) {
    DivisorGroup group = {};
    group.num_primes = rows[0].size();
    std::array<uint64_t, kRows> power;
    for (size_t r = 0; r < kRows; r++) {
      group.modulus[r] = products_[products_.size() - kRows + r];
      // Q is odd; the low 52 bits of its inverse mod 2^64 are the one mod 2^52.
      group.inverse[r] = InverseMod2To64(group.modulus[r]) & kLimbMask;
      group.offset[r] = offsets[r];
      power[r] = 1;
    }
    for (size_t i = 0; i < num_limbs_; i++) {
      for (size_t r = 0; r < kRows; r++) {
        out_->storage.push_back(power[r]);
        power[r] = ShiftMod(power[r], kLimbBits, group.modulus[r]);
      }
    }
    for (size_t i = 0; i < group.num_primes; i++) {
      for (const std::vector<uint32_t> &row : rows) {
        out_->storage.push_back(InverseMod2To64(row[i]) & kLimbMask);
      }
    }
    for (size_t i = 0; i < group.num_primes; i++) {
      for (const std::vector<uint32_t> &row : rows) {
        out_->storage.push_back(kLimbMask / row[i]);
      }
    }
    out_->groups.push_back(group);
  }

  void CloseStage(size_t *first_group) {
    const size_t end = out_->groups.size();
    if (end > *first_group) {
      out_->stages.push_back({*first_group, end - *first_group});
    }
    *first_group = end;
  }

  // The storage has stopped moving: sets the groups' pointers.
  void Connect() {
    auto *at = reinterpret_cast<const uint64_t(*)[kRows]>(out_->storage.data());
    for (DivisorGroup &group : out_->groups) {
      // In the order in which PushGroup stored them.
      group.powers = at;
      group.prime_inverses = group.powers + num_limbs_;
      group.limits = group.prime_inverses + group.num_primes;
      at = group.limits + group.num_primes;
    }
  }

  size_t num_limbs_;
  std::vector<uint32_t> primes_;
  std::vector<uint64_t> products_;
  std::unique_ptr<LaneDivisors> out_ = std::make_unique<LaneDivisors>();
};

#if defined(__SIZEOF_INT128__)
// A sum of up to 64 products of a word below 2^64 and a residue below 2^57
// stays below 2^127, and a number of 4,096 bits has 64 words.
constexpr uint64_t kMaxModulus = uint64_t{1} << 57;
#else
constexpr uint64_t kMaxModulus = uint64_t{1} << 32;
#endif
constexpr int kWordBits = 64;

}  // namespace

const LaneDivisors &LaneDivisors::For(int bits) {
  return Cached<LaneDivisors>(
      bits, [&] { return LaneBuilder(bits, LaneBound(bits)).Build(); });
}

const PortableDivisors &PortableDivisors::For(int bits) {
  return Cached<PortableDivisors>(bits, [&] {
    return std::make_unique<PortableDivisors>(bits, PortableBound(bits));
  });
}

PortableDivisors::PortableDivisors(int bits, uint32_t bound)
    : num_words_((static_cast<size_t>(bits) + 2 * kWordBits - 1) /
                 (2 * kWordBits) * 2) {
  const std::vector<uint32_t> primes = OddPrimesBelow(bound);
  for (size_t at = 0; at < primes.size();) {
    // 57 bits hold 13 primes in the first row and three in the last ones: most
    // of a row's cost is the residue, which all its primes share.
    const size_t count = NumFitting(primes, at, kMaxModulus);
    uint64_t product = 1;
    for (size_t i = 0; i < count; i++) {
      const uint64_t prime = primes[at + i];
      product *= prime;
      primes_.push_back({InverseMod2To64(prime), ~uint64_t{0} / prime});
    }
    AddRow(product, 0, count);
    at += count;
    if (rows_.size() == 1) {
      // As in LaneBuilder::Build.
      primes_.push_back(
          {InverseMod2To64(kPublicExponent), ~uint64_t{0} / kPublicExponent});
      AddRow(kPublicExponent, kPublicExponent - 1, 1);
    }
  }
}

void PortableDivisors::AddRow(uint64_t modulus, uint64_t offset,
                              size_t num_primes) {
  rows_.push_back({modulus, InverseMod2To64(modulus), offset,
                   primes_.size() - num_primes, num_primes});
  // 2^(64 i) from 2^(64 (i - 1)): slow divisions, once for each process.
  uint64_t power = 1;
  for (size_t i = 0; i < num_words_; i++) {
    powers_.push_back(power);
    power = ShiftMod(power, kWordBits, modulus);
  }
}

// A number that is zero modulo a prime of the row exactly when the candidate
// (plus the row's offset) is.
uint64_t PortableDivisors::Residue(const Row &row, const uint64_t *powers,
                                   const uint64_t *words) const {
#if defined(__SIZEOF_INT128__)
  using Wide = unsigned __int128;
  // Both halves together stay below 2^127 (kMaxModulus). Only the row of e has
  // an offset, and its sum is below 2^88 anyway.
  Wide sum = row.offset;
  Wide odd_sum = 0;  // two chains of carries take less time than one
  for (size_t i = 0; i < num_words_; i += 2) {
    sum += Wide{words[i]} * powers[i];
    odd_sum += Wide{words[i + 1]} * powers[i + 1];
  }
  sum += odd_sum;
  // One step of Montgomery's reduction, which divides by 2^64: harmless, as
  // only zero matters. `multiple` is below the modulus, which is added to keep
  // the difference positive. The sum's high word is below 2^63, so that it
  // fits.
  const uint64_t quotient = static_cast<uint64_t>(sum) * row.inverse;
  const auto multiple =
      static_cast<uint64_t>(Wide{quotient} * row.modulus >> 64);
  return static_cast<uint64_t>(sum >> 64) + row.modulus - multiple;
#else
  static_cast<void>(powers);
  // Horner's rule in half words: a residue below 2^32 and 32 bits more are 64
  // bits. With the offset of e, the result is below 2 e.
  uint64_t residue = 0;
  for (size_t i = num_words_; i-- > 0;) {
    residue = (residue << 32 | words[i] >> 32) % row.modulus;
    residue = (residue << 32 | (words[i] & 0xffffffff)) % row.modulus;
  }
  return residue + row.offset;
#endif
}

bool PortableDivisors::Keep(const uint64_t *words, const core::AbortFlag &abort,
                            std::vector<size_t> *indices) const {
  const uint64_t *powers = powers_.data();
  for (const Row &row : rows_) {
    // Each row looks at all candidates that are left. Which of them go may be
    // seen: they are never used. A survivor gets the same instructions as every
    // other survivor, as `survives` is combined without a branch.
    if (abort.raised()) {
      return false;
    }
    std::erase_if(*indices, [&](size_t index) {
      const uint64_t residue = Residue(row, powers, words + index * num_words_);
      // A prime q divides r exactly when r * q^-1 mod 2^64 is at most
      // (2^64 - 1) / q (Granlund and Montgomery 1994, section 9).
      //
      // Multiplication by the odd q^-1 permutes the words. It takes the
      // multiples of q to their quotients, 0 to (2^64 - 1) / q, so that nothing
      // else can land there.
      bool survives = true;
      for (size_t i = 0; i < row.num_primes; i++) {
        const Prime &prime = primes_[row.first_prime + i];
        survives &= residue * prime.inverse > prime.limit;
      }
      return !survives;
    });
    powers += num_words_;
  }
  return true;
}

}  // namespace pairmint::rsa
