#ifndef NATIVE_RSA_DIVISORS_H_
#define NATIVE_RSA_DIVISORS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mont/mont.h"

namespace pairmint::rsa {

// What to do about e = 65537 during trial division.
enum class ExponentRule {
  // FIPS 186-5 A.1.3, steps 4.5 and 5.6: a candidate with gcd(p - 1, e) > 1 is
  // refused at once.
  kRefuseCandidate,
  // c2sp.org/det-keygen: it is kept, and refused as part of a pair.
  kLeaveToPair,
};

// Trial division for kernels that do it eight candidates at a time: the tables
// of mont::DivisorGroup for every odd prime below a bound, in stages between
// which the survivors are packed together.
struct LaneDivisors {
  struct Stage {
    size_t first_group;
    size_t num_groups;
  };
  std::vector<mont::DivisorGroup> groups;
  std::vector<Stage> stages;
  std::vector<uint64_t> storage;  // what the groups point to

  // The tables for candidates of `bits` bits: made at the first call, kept.
  static const LaneDivisors &For(int bits, ExponentRule rule);
};

// Trial division of one candidate after the other on every processor.
class PortableDivisors {
 public:
  // The tables for candidates of `bits` bits: made at the first call, kept.
  static const PortableDivisors &For(int bits, ExponentRule rule);

  PortableDivisors(int bits, uint32_t bound, ExponentRule rule);

  // Whether no prime below the bound divides the number. Time depends on the
  // number only when one does: then the candidate is thrown away.
  [[nodiscard]] bool Survives(const uint64_t *words) const;

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
                                 const uint64_t *digits) const;

  size_t num_digits_;
  std::vector<Row> rows_;
  std::vector<Prime> primes_;
  std::vector<uint64_t> powers_;  // num_digits_ a row
};

}  // namespace pairmint::rsa

#endif  // NATIVE_RSA_DIVISORS_H_
