#include "rsa/primality.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/random.h"
#include "core/secret_box.h"
#include "core/words.h"

namespace pairmint::rsa {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::OutOfMemory;
using core::SecretBox;
using core::SecretBytes;
using core::Status;
using core::StatusCode;
using core::ToBignum;
using core::ToWords;
using mont::kLanes;
using mont::kWords;
using mont::Numbers;

constexpr const char *kTest = "a primality test";

// 1 if a < b, else 0, in time that depends on neither: the base of a round and
// the number under test are both secrets until the number was refused.
uint64_t Less(const uint64_t *a, const uint64_t *b) {
  uint64_t borrow = 0;
  for (int i = 0; i < kWords; i++) {
    // A word borrows when it is smaller, or equal and the word below borrows.
    const uint64_t difference = a[i] - b[i];
    borrow = static_cast<uint64_t>(a[i] < b[i]) |
             (static_cast<uint64_t>(difference == 0) & borrow);
  }
  return borrow;
}

// FIPS 186-5, B.3.1, steps 4.1 and 4.2: a random b of as many bits as w, drawn
// again unless 1 < b < w - 1. Only the number of draws can be seen. A number
// whose top two bits are set is drawn again with probability 1/4 at most.
Status RandomBase(int bits, const uint64_t *w, uint64_t *out) {
  const size_t len = (static_cast<size_t>(bits) + 7) / 8;
  SecretBytes bytes(len);
  SecretBox<std::array<uint64_t, kWords>> limit;
  std::copy(w, w + kWords, limit->begin());
  (*limit)[0] -= 1;  // w is odd
  std::array<uint64_t, kWords> two = {2};
  do {
    PAIRMINT_RETURN_IF_ERROR(core::FillRandom(bytes.mutable_span()));
    // Each string of that length is equally likely, and so, after the refusals,
    // is each base that the standard allows.
    bytes.data()[0] &= static_cast<uint8_t>(0xff >> (len * 8 - bits));
    ToWords(bytes.span(), {out, kWords});
  } while ((Less(out, limit->data()) & (1 - Less(out, two.data()))) == 0);
  return Status::Ok();
}

// Whether z is 1 or w - 1 (B.3.1, step 4.4), for an odd w: w - 1 differs from
// it in the lowest bit only, so that nothing has to be borrowed.
bool IsPlusMinusOne(const uint64_t *z, const uint64_t *w) {
  // All words are looked at. The answer itself is no secret: a number that
  // fails is thrown away. Which of the two a prime gave may show in the branch
  // below; it is the Legendre symbol of a random base that is wiped, and
  // without the base it tells nothing of w.
  uint64_t from_one = z[0] ^ 1;
  uint64_t from_minus_one = z[0] ^ (w[0] - 1);
  for (int i = 1; i < kWords; i++) {
    from_one |= z[i];
    from_minus_one |= z[i] ^ w[i];
  }
  return from_one == 0 || from_minus_one == 0;
}

// (w - 1) / 2 for an odd w.
void Half(const uint64_t *w, uint64_t *out) {
  for (int i = 0; i < kWords; i++) {
    // The lowest bit, which is the 1 that is subtracted, falls out.
    out[i] = w[i] >> 1 | (i + 1 < kWords ? w[i + 1] << 63 : 0);
  }
}

}  // namespace

Status MillerRabinRound(const BIGNUM *w, const BIGNUM *b, bool *out) {
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr minus_one(BN_dup(w));
  const BignumPtr m(BN_new());
  const BignumPtr z(BN_new());
  if (ctx == nullptr || minus_one == nullptr || m == nullptr || z == nullptr ||
      BN_sub_word(minus_one.get(), 1) != 1) {
    return OutOfMemory(kTest);
  }
  // Steps 1 and 2: w - 1 = 2^a * m with m odd.
  int a = 1;
  // w - 1 is even and not 0, so that this ends. The loop tells a, the number of
  // factors 2 of w - 1. Candidates of ours have a = 1 by their shape, which is
  // public; numbers of another shape come from tests only.
  while (BN_is_bit_set(minus_one.get(), a) == 0) {
    a++;
  }
  BN_set_flags(m.get(), BN_FLG_CONSTTIME);
  // Step 4.3: z = b^m mod w.
  if (BN_rshift(m.get(), minus_one.get(), a) != 1 ||
      BN_mod_exp_mont_consttime(z.get(), b, m.get(), w, ctx.get(), nullptr) !=
          1) {
    return OutOfMemory(kTest);
  }
  // Step 4.4. For the primes that we mint a = 1, and this is all.
  bool maybe_prime =
      BN_is_one(z.get()) || BN_cmp(z.get(), minus_one.get()) == 0;
  // Step 4.5.
  for (int i = 1; i < a && !maybe_prime && !BN_is_one(z.get()); i++) {
    if (BN_mod_sqr(z.get(), z.get(), w, ctx.get()) != 1) {
      return OutOfMemory(kTest);
    }
    maybe_prime = BN_cmp(z.get(), minus_one.get()) == 0;
  }
  *out = maybe_prime;
  return Status::Ok();
}

Status MillerRabin(const BIGNUM *w, int rounds, const core::AbortFlag &abort,
                   bool *out) {
  // B.3.1 wants an odd w > 3: for 3 no b lies between 1 and w - 1, and the
  // search for a base would never end.
  if (BN_is_word(w, 2) || BN_is_word(w, 3)) {
    *out = true;
    return Status::Ok();
  }
  if (BN_is_negative(w) || BN_is_zero(w) || BN_is_one(w) || !BN_is_odd(w)) {
    *out = false;
    return Status::Ok();
  }
  SecretBox<Numbers> numbers;
  auto &words = numbers->words[0];
  auto &base = numbers->words[1];
  if (!ToWords(w, words)) {
    return OutOfMemory(kTest);
  }
  bool maybe_prime = true;
  // Stops at the first base that proves w composite: how many rounds it took
  // says something of a w that is given up.
  for (int round = 0; round < rounds && maybe_prime; round++) {
    if (abort.raised()) {
      return Status(StatusCode::kAborted);
    }
    PAIRMINT_RETURN_IF_ERROR(RandomBase(BN_num_bits(w), words, base));
    const BignumPtr b = ToBignum(base);
    if (b == nullptr) {
      return OutOfMemory(kTest);
    }
    PAIRMINT_RETURN_IF_ERROR(MillerRabinRound(w, b.get(), &maybe_prime));
  }
  *out = maybe_prime;
  return Status::Ok();
}

// Four rounds of two numbers take the time of one round of one in a kernel with
// eight lanes. w is 3 mod 4, so that (w - 1) / 2 is odd and z is all that a
// round looks at: no number of squarings depends on w.
Status MillerRabinInLanes(const mont::Kernel &kernel, int bits,
                          const Numbers &w, int num_numbers, int rounds,
                          const core::AbortFlag &abort, bool *out) {
  SecretBox<Numbers> n, base, exponent, power;
  SecretBytes workspace(kernel.workspace_len);
  std::fill(out, out + num_numbers, true);
  // Number i takes every job that is i modulo num_numbers. Bases are
  // independent, so any distribution of rounds over lanes and calls is the loop
  // of B.3.1. All rounds are done also for a number that failed one: it happens
  // once in more keys than are ever made, and costs one call.
  const int num_jobs = num_numbers * rounds;
  for (int at = 0; at < num_jobs; at += kernel.batch_len) {
    if (abort.raised()) {
      return Status(StatusCode::kAborted);
    }
    // Lanes above `len` keep what they held, or zeros: the contract says that
    // what comes out of them means nothing, and it is not looked at.
    const int len = std::min(kernel.batch_len, num_jobs - at);
    for (int lane = 0; lane < len; lane++) {
      const uint64_t *words = w.words[(at + lane) % num_numbers];
      std::copy(words, words + kWords, n->words[lane]);
      // w - 1 = 2 * m with m odd (steps 1 and 2).
      Half(words, exponent->words[lane]);
      PAIRMINT_RETURN_IF_ERROR(RandomBase(bits, words, base->words[lane]));
    }
    // Step 4.3. Step 4.5 squares z a - 1 times, and a is 1 for numbers that are
    // 3 mod 4.
    //
    // `bits` is the public bound of an exponent with one bit less.
    if (!kernel.mod_exp(bits, len, *n, *base, *exponent, bits, workspace.data(),
                        power.get())) {
      return OutOfMemory(kTest);
    }
    for (int lane = 0; lane < len; lane++) {
      out[(at + lane) % num_numbers] &=
          IsPlusMinusOne(power->words[lane], n->words[lane]);
    }
  }
  return Status::Ok();
}

Status MillerRabinPair(int bits, const Numbers &w, int rounds,
                       const core::AbortFlag &abort, bool *out) {
  const BnCtxPtr ctx(BN_CTX_secure_new());
  SecretBox<Numbers> numbers;
  auto &base = numbers->words[0];
  auto &exponent = numbers->words[1];
  auto &power = numbers->words[2];
  *out = true;
  // A round of two numbers of 2,048 bits takes about 1.4 ms with IFMA and 4 ms
  // without.
  for (int round = 0; round < rounds && *out; round++) {
    if (abort.raised()) {
      return Status(StatusCode::kAborted);
    }
    // Numbers are made anew for each round: a BIGNUM is freed with what it
    // holds wiped, and next to an exponentiation that costs nothing. A base is
    // never used twice: rounds of one base are one round.
    std::array<BignumPtr, 2> n, b, e, z;
    for (size_t i = 0; i < 2; i++) {
      PAIRMINT_RETURN_IF_ERROR(RandomBase(bits, w.words[i], base));
      Half(w.words[i], exponent);
      n[i] = ToBignum(w.words[i]);
      b[i] = ToBignum(base);
      e[i] = ToBignum(exponent);
      z[i].reset(BN_new());
      if (n[i] == nullptr || b[i] == nullptr || e[i] == nullptr ||
          z[i] == nullptr) {
        return OutOfMemory(kTest);
      }
    }
    // The code for two exponentiations at once wants moduli of one length,
    // which p and q have; otherwise OpenSSL does one after the other.
    if (ctx == nullptr ||
        BN_mod_exp_mont_consttime_x2(
            z[0].get(), b[0].get(), e[0].get(), n[0].get(), nullptr, z[1].get(),
            b[1].get(), e[1].get(), n[1].get(), nullptr, ctx.get()) != 1) {
      return OutOfMemory(kTest);
    }
    for (size_t i = 0; i < 2; i++) {
      if (!ToWords(z[i].get(), power)) {
        return OutOfMemory(kTest);
      }
      // That one of the two failed is enough: the caller then refuses both, as
      // the kernel that chose them is switched off.
      *out &= IsPlusMinusOne(power, w.words[i]);
    }
  }
  return Status::Ok();
}

// The test is deterministic, so a kernel that differs from OpenSSL on one
// number is wrong, and one difference is a proof.
Status FermatBase2(int bits, const uint64_t *words, bool *out) {
  SecretBox<Numbers> n;
  mont::Verdicts verdicts;
  std::copy(words, words + kWords, n->words[0]);
  if (!mont::OpenSslKernel()->fermat_base2(bits, 1, *n, nullptr, &verdicts)) {
    return OutOfMemory(kTest);
  }
  *out = verdicts.lanes[0] != 0;
  return Status::Ok();
}

}  // namespace pairmint::rsa
