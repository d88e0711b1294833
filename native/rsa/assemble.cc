// RSA_* is deprecated in favour of EVP, but part of OpenSSL 3.x everywhere; the
// pairwise test needs it to do without blinding (see below).
#define OPENSSL_SUPPRESS_DEPRECATED
#include "rsa/assemble.h"

#include <openssl/crypto.h>
#include <openssl/rsa.h>

#include <array>
#include <span>
#include <utility>

#include "core/random.h"
#include "core/secret_box.h"
#include "core/words.h"
#include "mont/mont.h"

namespace pairmint::rsa {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::ByteSpan;
using core::MutableByteSpan;
using core::OutOfMemory;
using core::SecretBox;
using core::SecretBytes;
using core::Status;
using core::StatusCode;
using mont::kWords;

using RsaPtr = core::OpenSslPtr<RSA, RSA_free>;

constexpr uint64_t kE = kPublicExponent;

BignumPtr NewSecret() {
  BignumPtr number(BN_new());
  if (number != nullptr) {
    BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  }
  return number;
}

// x mod 65537 from 16-bit digits: 2^16 is -1, so they add up with alternating
// signs. Each sum is below 2^17 a word, and kE * 2 a word, which is 0 mod e and
// above 2^17, keeps the difference positive.
uint64_t ModE(std::span<const uint64_t> words) {
  uint64_t even = 0;
  uint64_t odd = 0;
  for (const uint64_t word : words) {
    // A word has four digits, an even count: the first is positive in each.
    // With 130 words a sum stays below 2^25.
    even += (word & 0xffff) + (word >> 32 & 0xffff);
    odd += (word >> 16 & 0xffff) + (word >> 48);
  }
  // A constant divisor: the compiler multiplies.
  return (even + kE * 2 * words.size() - odd) % kE;
}

// x^-1 mod 65537 = x^(e - 2), as e is prime; e - 2 is 16 ones in binary.
uint64_t InverseModE(uint64_t x) {
  // x^(2^16 - 1) by sixteen squarings, each followed by a product. Factors are
  // below 2^17 and so are residues: no product has more than 34 bits.
  uint64_t power = 1;
  for (int bit = 0; bit < 16; bit++) {
    power = power * power % kE * x % kE;
  }
  return power;
}

// Makes m, which 65537 does not divide, e^-1 mod m: (1 + m * k) / e with
// k = -m^-1 mod e, so that one word's inverse is all it takes and no branch
// depends on m. e divides 1 + m * k by the choice of k, and as k < e the result
// is below m.
void InvertExponent(std::span<uint64_t> m) {
  // Candidates with p - 1 = 0 mod e were refused (A.1.3, steps 4.5 and 5.6), so
  // that e divides neither p - 1, q - 1 nor their lcm.
  const uint64_t k = InverseModE(kE - ModE(m));
  // e^-1 mod 2^32 is 1 - 2^16: (1 + 2^16) (1 - 2^16) = 1 - 2^32.
  constexpr uint32_t kInverse = 0xffff0001;
  uint64_t product = 1;  // 1 + m * k, from its lowest word up
  uint64_t borrow = 0;
  for (uint64_t &word : m) {
    uint64_t quotient = 0;
    for (int half = 0; half < 64; half += 32) {
      // k < 2^17, so the product has 49 bits at most and a carry below 2^18 is
      // added to it.
      product += (word >> half & 0xffffffff) * k;
      // Exact division from below: the quotient's word is the one whose
      // product with e has the right low word.
      //
      // Below 0, `low` wraps around and has its top bit set: its low 32 bits
      // are right all the same, and the top bit is the borrow. The last borrow
      // is spent on the word of 1 + m * k above m, which is not computed.
      const uint64_t low = (product & 0xffffffff) - borrow;
      const uint32_t digit = static_cast<uint32_t>(low) * kInverse;
      borrow = (digit * kE >> 32) + (low >> 63);
      quotient |= uint64_t{digit} << half;
      product >>= 32;
    }
    word = quotient;
  }
}

Status ExponentInverse(const BIGNUM *m, BignumPtr *out) {
  // Room for a number of 8,192 bits, and all of it is gone through: how many
  // words m has says nothing, nor do its leading zeros.
  SecretBox<std::array<uint64_t, 2 * kWords>> words;
  if (!core::ToWords(m, *words)) {
    return OutOfMemory(kKeyGeneration);
  }
  InvertExponent(*words);
  *out = core::ToBignum(*words);
  return *out != nullptr ? Status::Ok() : OutOfMemory(kKeyGeneration);
}

// lcm(p - 1, q - 1)
Status CarmichaelLambda(const BIGNUM *p_minus_1, const BIGNUM *q_minus_1,
                        BN_CTX *ctx, BIGNUM *out) {
  // The lcm and not the product, because A.1.1, criterion 3, wants d below the
  // lcm: an inverse modulo the product decrypts as well, but may be longer, and
  // a validation by SP 800-56B rev 2, 6.4.1, would refuse it. The gcd is a
  // secret like the primes: it divides both p - 1 and q - 1.
  const BignumPtr gcd = NewSecret();
  const BignumPtr quotient = NewSecret();
  // BN_gcd is constant time in OpenSSL 3; BN_div is for BN_FLG_CONSTTIME.
  if (gcd == nullptr || quotient == nullptr ||
      BN_gcd(gcd.get(), p_minus_1, q_minus_1, ctx) != 1 ||
      BN_div(quotient.get(), nullptr, q_minus_1, gcd.get(), ctx) != 1 ||
      BN_mul(out, p_minus_1, quotient.get(), ctx) != 1) {
    return OutOfMemory(kKeyGeneration);
  }
  return Status::Ok();
}

// q^-1 mod p. With BN_FLG_CONSTTIME OpenSSL takes the inversion without
// branches that its own key generation uses for the same value; q^(p-2) would
// cost seven times as much.
Status InverseModPrime(const BIGNUM *q, const BIGNUM *p, BN_CTX *ctx,
                       BIGNUM *out) {
  // q < p, both prime: the inverse exists. p > q is what makes q a residue mod
  // p without a division.
  return BN_mod_inverse(out, q, p, ctx) != nullptr
             ? Status::Ok()
             : OutOfMemory(kKeyGeneration);
}

// d mod (p - 1)
Status Reduce(const BIGNUM *d, const BIGNUM *p, BignumPtr *out) {
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr p_minus_1(BN_dup(p));
  BignumPtr rest = NewSecret();
  if (ctx == nullptr || p_minus_1 == nullptr || rest == nullptr ||
      BN_sub_word(p_minus_1.get(), 1) != 1) {
    return OutOfMemory(kKeyGeneration);
  }
  BN_set_flags(p_minus_1.get(), BN_FLG_CONSTTIME);
  if (BN_nnmod(rest.get(), d, p_minus_1.get(), ctx.get()) != 1) {
    return OutOfMemory(kKeyGeneration);
  }
  *out = std::move(rest);
  return Status::Ok();
}

// Whether d mod (p - 1) = dp.
bool Reduces(const BIGNUM *d, const BIGNUM *p, const BIGNUM *dp) {
  BignumPtr rest;
  // BN_cmp stops at the first word that differs: a right key has no such word,
  // and a wrong one is not given out.
  return Reduce(d, p, &rest).ok() && BN_cmp(rest.get(), dp) == 0;
}

// The primes of the longest modulus that is minted, RSA_4096.
constexpr size_t kPrimeWords = 32;

// out = a * b; `out` is zeros and as long as both.
void Multiply(std::span<const uint64_t> a, std::span<const uint64_t> b,
              std::span<uint64_t> out) {
  __extension__ using Wide = unsigned __int128;
  for (size_t i = 0; i < a.size(); i++) {
    uint64_t carry = 0;
    for (size_t j = 0; j < b.size(); j++) {
      // At most (2^64 - 1)^2 + 2 (2^64 - 1) = 2^128 - 1. The word that the last
      // carry goes to was not written before.
      const Wide sum = Wide{a[i]} * b[j] + out[i + j] + carry;
      out[i + j] = static_cast<uint64_t>(sum);
      carry = static_cast<uint64_t>(sum >> 64);
    }
    out[i + b.size()] = carry;
  }
}

}  // namespace

bool InRange(const BIGNUM *p, int modulus_bits) {
  // sqrt(2) is irrational, so p >= sqrt(2) * 2^(nlen/2 - 1) means
  // p^2 > 2^(nlen - 1), which is p^2 having nlen bits.
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr square = NewSecret();
  // p has nlen/2 bits, so that p^2 has nlen or nlen - 1.
  return ctx != nullptr && square != nullptr &&
         BN_num_bits(p) == modulus_bits / 2 &&
         BN_sqr(square.get(), p, ctx.get()) == 1 &&
         BN_num_bits(square.get()) == modulus_bits;
}

bool CoprimeToExponent(const BIGNUM *p, const BIGNUM *e) {
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr minus_one(BN_dup(p));
  const BignumPtr gcd = NewSecret();
  return ctx != nullptr && minus_one != nullptr && gcd != nullptr &&
         BN_sub_word(minus_one.get(), 1) == 1 &&
         BN_gcd(gcd.get(), minus_one.get(), e, ctx.get()) == 1 &&
         BN_is_one(gcd.get());
}

bool FarApart(const BIGNUM *p, const BIGNUM *q, int modulus_bits) {
  const BignumPtr difference = NewSecret();
  if (difference == nullptr || BN_sub(difference.get(), p, q) != 1) {
    return false;
  }
  // Equal primes are refused here as well: their difference has no bits.
  BN_set_negative(difference.get(), 0);
  const int bound = modulus_bits / 2 - 100;
  // More than 2^bound: a bit above it, or that bit and any other.
  return BN_num_bits(difference.get()) > bound + 1 ||
         (BN_num_bits(difference.get()) == bound + 1 &&
          BN_clear_bit(difference.get(), bound) == 1 &&
          !BN_is_zero(difference.get()));
}

Status AssembleKey(const BIGNUM *p, const BIGNUM *q, int modulus_bits,
                   Verdict *verdict, Key *out) {
  // For primes of ours, which spread over a quarter of 2^(nlen/2), the
  // probability is 2^-97.
  if (!FarApart(p, q, modulus_bits)) {
    *verdict = Verdict::kRefusedQ;
    return Status::Ok();
  }
  // OpenSSL's order, which the CRT values below depend on: p > q.
  //
  // The branch tells only which of two independent primes was drawn first.
  // BN_cmp looks at the words below the top one if the top ones are equal,
  // which takes a chance of about 2^-62.
  if (BN_cmp(p, q) < 0) {
    std::swap(p, q);
  }
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr p_minus_1(BN_dup(p));
  const BignumPtr q_minus_1(BN_dup(q));
  const BignumPtr lambda = NewSecret();
  Key key;
  key.n.reset(BN_new());
  key.e.reset(BN_new());
  key.p.reset(BN_dup(p));
  key.q.reset(BN_dup(q));
  key.qinv = NewSecret();
  if (ctx == nullptr || p_minus_1 == nullptr || q_minus_1 == nullptr ||
      lambda == nullptr || key.n == nullptr || key.e == nullptr ||
      key.p == nullptr || key.q == nullptr || key.qinv == nullptr ||
      BN_set_word(key.e.get(), kPublicExponent) != 1 ||
      BN_mul(key.n.get(), p, q, ctx.get()) != 1 ||
      BN_sub_word(p_minus_1.get(), 1) != 1 ||
      BN_sub_word(q_minus_1.get(), 1) != 1) {
    return OutOfMemory(kKeyGeneration);
  }
  for (BIGNUM *secret :
       {p_minus_1.get(), q_minus_1.get(), key.p.get(), key.q.get()}) {
    BN_set_flags(secret, BN_FLG_CONSTTIME);
  }
  PAIRMINT_RETURN_IF_ERROR(CarmichaelLambda(p_minus_1.get(), q_minus_1.get(),
                                            ctx.get(), lambda.get()));
  PAIRMINT_RETURN_IF_ERROR(ExponentInverse(lambda.get(), &key.d));
  // A.1.1, criterion 3: 2^(nlen/2) < d. As d e = 1 + k lambda with k > 0, d is
  // above lambda / e, and lambda is (p - 1)(q - 1) / gcd(p - 1, q - 1): that
  // greatest common divisor would need more than nlen/2 - 20 bits.
  //
  // That never happens, and the check is for the case that this argument or the
  // arithmetic is wrong. p - 1 has at most 2^20 divisors so large, as the
  // cofactor is below 2^20, and each has at most 2^20 multiples that may be q -
  // 1, out of more than 2^(nlen/2 - 16) primes of our shape: 2^-960 for a
  // 2,048-bit key.
  if (BN_num_bits(key.d.get()) <= modulus_bits / 2) {
    *verdict = Verdict::kRefusedBoth;
    return Status::Ok();
  }
  // d mod (p - 1) is the inverse of e there, too.
  PAIRMINT_RETURN_IF_ERROR(ExponentInverse(p_minus_1.get(), &key.dp));
  PAIRMINT_RETURN_IF_ERROR(ExponentInverse(q_minus_1.get(), &key.dq));
  PAIRMINT_RETURN_IF_ERROR(
      InverseModPrime(key.q.get(), key.p.get(), ctx.get(), key.qinv.get()));
  *verdict = Verdict::kAccepted;
  *out = std::move(key);
  return Status::Ok();
}

Status CompleteKey(KeyNumbers *key, SecretBytes *room) {
  const size_t len = key->p.size();
  if (len == 0 || len % core::kWordLen != 0 ||
      len > kPrimeWords * core::kWordLen || key->q.size() != len) {
    return Status(StatusCode::kInvalidArgument, "no primes of ours");
  }
  struct Words {
    std::array<uint64_t, kPrimeWords> p, q;
    std::array<uint64_t, 2 * kPrimeWords> n;
  };
  SecretBox<Words> words;
  const auto p = std::span(words->p).first(len / core::kWordLen);
  const auto q = std::span(words->q).first(len / core::kWordLen);
  const auto n = std::span(words->n).first(2 * len / core::kWordLen);
  core::ToWords(key->p, p);
  core::ToWords(key->q, q);
  // n gets all 2 len bytes: for primes with their top two bits set p q is at
  // least (3/4)^2 2^nlen, and its top bit is set, too.
  Multiply(p, q, n);
  *room = SecretBytes(4 * len);
  const MutableByteSpan out = room->mutable_span();
  core::ToBytes(n, out.first(2 * len));
  // d mod (p - 1) is the inverse of e there, too; p is odd.
  p.front()--;
  q.front()--;
  InvertExponent(p);
  InvertExponent(q);
  core::ToBytes(p, out.subspan(2 * len, len));
  core::ToBytes(q, out.subspan(3 * len, len));
  key->n = out.first(2 * len);
  key->dp = out.subspan(2 * len, len);
  key->dq = out.subspan(3 * len, len);
  return Status::Ok();
}

Status CheckNumbers(const Key &key) {
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr product = NewSecret();
  const BignumPtr p_minus_1(BN_dup(key.p.get()));
  const BignumPtr q_minus_1(BN_dup(key.q.get()));
  if (ctx == nullptr || product == nullptr || p_minus_1 == nullptr ||
      q_minus_1 == nullptr || BN_sub_word(p_minus_1.get(), 1) != 1 ||
      BN_sub_word(q_minus_1.get(), 1) != 1 ||
      BN_mul(product.get(), key.p.get(), key.q.get(), ctx.get()) != 1) {
    return OutOfMemory(kKeyGeneration);
  }
  // BN_cmp stops at the first word that differs: a right key has no such word,
  // and a wrong one is not given out.
  bool fits = BN_cmp(product.get(), key.n.get()) == 0;
  // Fermat: m^(e dp) = m^(1 + k (p - 1)) = m mod p for every m, and the same
  // modulo q; with q qinv = 1 mod p the two remainders lead back to m mod n. d
  // has the same remainders as dp and dq and so decrypts as they do.
  const struct {
    const BIGNUM *a, *b, *modulus;
  } inverses[] = {
      {key.e.get(), key.dp.get(), p_minus_1.get()},
      {key.e.get(), key.dq.get(), q_minus_1.get()},
      {key.q.get(), key.qinv.get(), key.p.get()},
  };
  for (const auto &[a, b, modulus] : inverses) {
    fits = fits && BN_mod_mul(product.get(), a, b, modulus, ctx.get()) == 1 &&
           BN_is_one(product.get());
  }
  fits = fits && Reduces(key.d.get(), key.p.get(), key.dp.get()) &&
         Reduces(key.d.get(), key.q.get(), key.dq.get());
  return fits ? Status::Ok()
              : Status(StatusCode::kInternal,
                       "the numbers of a new RSA key do not belong together");
}

Status PairwiseTest(const Key &key) {
  Status failed(StatusCode::kInternal,
                "a new RSA key failed its pairwise test");
  const RsaPtr rsa(RSA_new());
  std::array<BignumPtr, 8> copies;
  const std::array<const BignumPtr *, 8> numbers = {
      &key.n, &key.e, &key.d, &key.p, &key.q, &key.dp, &key.dq, &key.qinv};
  for (size_t i = 0; i < numbers.size(); i++) {
    copies[i].reset(BN_dup(numbers[i]->get()));
    if (copies[i] == nullptr || rsa == nullptr) {
      return OutOfMemory(kKeyGeneration);
    }
  }
  // OpenSSL checks what its CRT path computes, and when that is wrong silently
  // computes it again with d. That would hide what the test is for, so it gets
  // a useless d; that the real one agrees with dP and dQ is seen directly.
  if (BN_set_word(copies[2].get(), 1) != 1) {
    return OutOfMemory(kKeyGeneration);
  }
  const auto take = [&](size_t i) { return copies[i].release(); };
  RSA_set0_key(rsa.get(), take(0), take(1), take(2));
  RSA_set0_factors(rsa.get(), take(3), take(4));
  RSA_set0_crt_params(rsa.get(), take(5), take(6), take(7));
  // Blinding hides a base that an attacker chose. Ours is random and not
  // seen by others; the inverse mod n that blinding needs would cost a fifth of
  // the test.
  RSA_set_flags(rsa.get(), RSA_FLAG_NO_BLINDING);

  const auto len = static_cast<size_t>(RSA_size(rsa.get()));
  SecretBytes message(len), hidden(len), back(len);
  // The messages that come back in spite of a wrong dP are a proper subgroup
  // modulo p: half of all at most, and a handful for a fault that is not made
  // to fit. With a fixed message such as 2 that would depend on p. dP and dQ
  // are also compared with d below, and a wrong qInv shows for every message
  // whose residues modulo p and q do not lead to the same number.
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(message.mutable_span()));
  // Below n, which has its top bit set, and not 0 or 1.
  message.data()[0] = static_cast<uint8_t>(message.data()[0] >> 1 | 0x40);
  const int int_len = static_cast<int>(len);
  if (RSA_public_encrypt(int_len, message.data(), hidden.data(), rsa.get(),
                         RSA_NO_PADDING) != int_len ||
      RSA_private_decrypt(int_len, hidden.data(), back.data(), rsa.get(),
                          RSA_NO_PADDING) != int_len ||
      CRYPTO_memcmp(message.data(), back.data(), len) != 0 ||
      !Reduces(key.d.get(), key.p.get(), key.dp.get()) ||
      !Reduces(key.d.get(), key.q.get(), key.dq.get())) {
    return failed;
  }
  return Status::Ok();
}

}  // namespace pairmint::rsa
