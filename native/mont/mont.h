#ifndef NATIVE_MONT_MONT_H_
#define NATIVE_MONT_MONT_H_

#include <stddef.h>
#include <stdint.h>

// The contract between the prime search and the arithmetic kernels: modular
// exponentiation of eight independent numbers at a time. Kernel files include
// this file and intrinsics and nothing else, so that no function compiled for
// a special instruction set can be kept by the linker for every processor.
// For the same reason nothing in here is inline.

namespace pairmint::mont {

constexpr int kLanes = 8;
// 64-bit words of the largest number: 4096 bits and one word to look ahead.
constexpr int kWords = 65;
constexpr int kMaxBits = 4096;

// Eight numbers, each in little-endian 64-bit words, zero above its length.
struct Numbers {
  uint64_t words[kLanes][kWords];
};

// What is known about each lane: 1 or 0.
struct Verdicts {
  uint64_t lanes[kLanes];
};

// Trial division by the primes of a group: each of its four rows is a product
// Q < 2^51 of `num_primes` odd primes. A number with 52-bit digits w[i] is
// congruent to sum(w[i] * powers[i][row]) + offset mod Q; the residue is then
// tested for each prime of the row by exact division.
struct DivisorGroup {
  static constexpr int kRows = 4;
  size_t num_primes;
  uint64_t modulus[kRows];
  uint64_t inverse[kRows];                  // Q^-1 mod 2^52
  uint64_t offset[kRows];                   // below Q
  const uint64_t (*powers)[kRows];          // 2^(52 i) mod Q
  const uint64_t (*prime_inverses)[kRows];  // [num_primes]; prime^-1 mod 2^52
  const uint64_t (*limits)[kRows];          // floor((2^52 - 1) / prime)
};

// A kernel is a table of functions. Each takes odd numbers of exactly `bits`
// bits with min_bits <= bits <= max_bits in the first `num_lanes` lanes (what
// comes out of the others means nothing) and needs `workspace_len` bytes,
// aligned to 64, that it may leave secrets in. It returns false only when it
// ran out of memory. Time and memory access depend on `bits`, `num_lanes` and
// `exponent_bits`, never on the numbers.
struct Kernel {
  const char *name;
  int min_bits;
  int max_bits;
  // How many lanes are worth filling before a call.
  int batch_len;
  size_t workspace_len;

  // Fermat's test to base 2, which no prime fails: out = (2^(n-1) mod n == 1).
  bool (*fermat_base2)(int bits, int num_lanes, const Numbers &n,
                       uint8_t *workspace, Verdicts *out);

  // out = base^exponent mod n, in [0, n), with base < n and
  // exponent < 2^exponent_bits.
  bool (*mod_exp)(int bits, int num_lanes, const Numbers &n,
                  const Numbers &base, const Numbers &exponent,
                  int exponent_bits, uint8_t *workspace, Numbers *out);

  // Clears the verdict of each lane that a prime of the groups divides.
  // nullptr: the portable trial division of rsa/ is used.
  bool (*divide)(int bits, const DivisorGroup *groups, size_t num_groups,
                 const Numbers &n, uint8_t *workspace, Verdicts *in_out);
};

// 8 lanes in radix 2^52 with AVX-512 IFMA; nullptr if this build has none.
const Kernel *Avx512IfmaKernel();
// 4 lanes in radix 2^28 with AVX2; nullptr if this build has none.
const Kernel *Avx2Kernel();
// OpenSSL's own Montgomery arithmetic, one lane after the other.
const Kernel *OpenSslKernel();
// The specification: short, slow, portable. Judges the others, never mints.
const Kernel *ReferenceKernel();

}  // namespace pairmint::mont

#endif  // NATIVE_MONT_MONT_H_
