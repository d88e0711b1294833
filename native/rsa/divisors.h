#ifndef NATIVE_RSA_DIVISORS_H_
#define NATIVE_RSA_DIVISORS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/abort_flag.h"
#include "mont/mont.h"

namespace pairmint::rsa {

// Trial division for kernels that do it eight candidates at a time: the tables
// of mont::DivisorGroup for every odd prime below a bound, in stages between
// which the survivors are packed together. The first group also refuses p with
// gcd(p - 1, e) > 1 (FIPS 186-5, A.1.3, steps 4.5 and 5.6).
struct LaneDivisors {
  struct Stage {
    size_t first_group;
    size_t num_groups;
  };
  std::vector<mont::DivisorGroup> groups;
  std::vector<Stage> stages;
  std::vector<uint64_t> storage;  // what the groups point to

  // The tables for candidates of `bits` bits: made at the first call, kept.
  static const LaneDivisors &For(int bits);
};

// The same on every processor: one product of primes after the other,
// each for all candidates that are left, as the tables are larger than the
// caches.
class PortableDivisors {
 public:
  // The tables for candidates of `bits` bits: made at the first call, kept.
  static const PortableDivisors &For(int bits);

  PortableDivisors(int bits, uint32_t bound);

  // Words of a number, an even count.
  [[nodiscard]] size_t num_words() const { return num_words_; }

  // Removes the indices of all numbers that a prime below the bound divides;
  // number i is at words[i * num_words()]. False soon after `abort` was raised.
  // Time depends on a number only when it is removed and thrown away.
  [[nodiscard]] bool Keep(const uint64_t *words, const core::AbortFlag &abort,
                          std::vector<size_t> *indices) const;

 private:
  struct Row {
    uint64_t modulus;  // product of primes
    uint64_t inverse;
    uint64_t offset;
    size_t first_prime;
    size_t num_primes;
  };
  struct Prime {
    uint64_t inverse;  // mod 2^64
    uint64_t limit;    // floor((2^64 - 1) / prime)
  };
  void AddRow(uint64_t modulus, uint64_t offset, size_t num_primes);
  [[nodiscard]] uint64_t Residue(const Row &row, const uint64_t *powers,
                                 const uint64_t *words) const;

  size_t num_words_;
  std::vector<Row> rows_;
  std::vector<Prime> primes_;
  std::vector<uint64_t> powers_;  // 2^(64 i) mod a row's modulus
};

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_DIVISORS_H_
