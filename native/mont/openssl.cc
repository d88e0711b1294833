// The kernel of every processor without one of its own: OpenSSL's Montgomery
// multiplication, which is assembly on x86-64 and arm64, one lane after the
// other.
#include <openssl/bn.h>

#include "core/openssl.h"
#include "mont/mont.h"

namespace pairmint::mont {
namespace {

using core::BignumPtr;
using core::BnCtxPtr;
using core::MontCtxPtr;

// All words of a lane, however long the numbers are: the length that is read
// and wiped is the same for every number.
constexpr int kNumBytes = kWords * 8;
constexpr int kBnWordBits = 8 * sizeof(BN_ULONG);

// Reads a lane. The words are little-endian whatever the machine is.
BignumPtr Load(const Numbers &numbers, int lane) {
  unsigned char bytes[kNumBytes];
  for (int i = 0; i < kNumBytes; i++) {
    bytes[i] =
        static_cast<unsigned char>(numbers.words[lane][i / 8] >> (i % 8 * 8));
  }
  BignumPtr number(BN_lebin2bn(bytes, kNumBytes, nullptr));
  // The number may be one of the two primes that are kept.
  OPENSSL_cleanse(bytes, kNumBytes);
  if (number != nullptr) {
    BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  }
  return number;
}

bool Store(const BIGNUM *number, int lane, Numbers *out) {
  unsigned char bytes[kNumBytes];
  // Pads to a fixed length without looking for the first digit.
  if (BN_bn2lebinpad(number, bytes, kNumBytes) != kNumBytes) {
    return false;
  }
  for (int w = 0; w < kWords; w++) {
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--) {
      word = word << 8 | bytes[8 * w + i];
    }
    out->words[lane][w] = word;
  }
  OPENSSL_cleanse(bytes, kNumBytes);
  return true;
}

MontCtxPtr NewMontgomery(const BIGNUM *n, BN_CTX *ctx) {
  // n has BN_FLG_CONSTTIME from Load, and BN_MONT_CTX_set hands it to the copy
  // of n's lowest word that it inverts.
  MontCtxPtr mont(BN_MONT_CTX_new());
  if (mont != nullptr && BN_MONT_CTX_set(mont.get(), n, ctx) != 1) {
    mont.reset();
  }
  return mont;
}

// 2^(n-1) mod n by squaring and doubling. BN_mod_exp_mont_word(2) would be a
// tenth faster, but branches on the bits of n, and n may be the prime that is
// kept; BN_mod_exp_mont_consttime is a tenth slower than this.
bool FermatLane(const BIGNUM *n, BN_CTX *ctx, uint64_t *out) {
  const MontCtxPtr mont = NewMontgomery(n, ctx);
  // Both are copies of n to have as many words: BN_consttime_swap walks over
  // num_words words of each, whatever their values need.
  const BignumPtr power(BN_dup(n));
  const BignumPtr doubled(BN_dup(n));
  if (mont == nullptr || power == nullptr || doubled == nullptr ||
      BN_set_word(power.get(), 2) != 1 ||
      BN_to_montgomery(power.get(), power.get(), mont.get(), ctx) != 1) {
    return false;
  }
  const int bits = BN_num_bits(n);
  const int num_words = (bits + kBnWordBits - 1) / kBnWordBits;
  // From 2, the top bit, on. Both results are computed for each bit of n and
  // swapped by a mask. Reading the bit is an access whose place depends on b
  // alone. OpenSSL drops leading zero words of a result; that shows for a
  // residue below 2^(bits - 64), one in 2^63 or fewer.
  for (int b = bits - 2; b >= 0; b--) {
    // The exponent n - 1 is n without its lowest bit.
    const BN_ULONG bit =
        static_cast<BN_ULONG>(b > 0 && BN_is_bit_set(n, b) == 1);
    if (BN_mod_mul_montgomery(power.get(), power.get(), power.get(), mont.get(),
                              ctx) != 1 ||
        BN_mod_add_quick(doubled.get(), power.get(), power.get(), n) != 1) {
      return false;
    }
    BN_consttime_swap(bit, power.get(), doubled.get(), num_words);
  }
  if (BN_from_montgomery(power.get(), power.get(), mont.get(), ctx) != 1) {
    return false;
  }
  // The verdict may be seen: a candidate that fails is thrown away, and of the
  // one that passes it says only that it passed.
  *out = static_cast<uint64_t>(BN_is_one(power.get()));
  return true;
}

bool FermatBase2(int, int num_lanes, const Numbers &n, uint8_t *,
                 Verdicts *out) {
  const BnCtxPtr ctx(BN_CTX_secure_new());
  for (int lane = 0; lane < num_lanes; lane++) {
    const BignumPtr modulus = Load(n, lane);
    if (ctx == nullptr || modulus == nullptr ||
        !FermatLane(modulus.get(), ctx.get(), &out->lanes[lane])) {
      return false;
    }
  }
  return true;
}

bool ModExp(int, int num_lanes, const Numbers &n, const Numbers &base,
            const Numbers &exponent, int, uint8_t *, Numbers *out) {
  const BnCtxPtr ctx(BN_CTX_secure_new());
  const BignumPtr result(BN_new());
  for (int lane = 0; lane < num_lanes; lane++) {
    const BignumPtr modulus = Load(n, lane);
    const BignumPtr b = Load(base, lane);
    const BignumPtr e = Load(exponent, lane);
    // The exponent carries BN_FLG_CONSTTIME from Load, and this function does
    // not look at flags anyway: a window of fixed length, gathered from a table
    // that is interleaved so that every entry touches the same cache lines.
    if (ctx == nullptr || result == nullptr || modulus == nullptr ||
        b == nullptr || e == nullptr ||
        BN_mod_exp_mont_consttime(result.get(), b.get(), e.get(), modulus.get(),
                                  ctx.get(), nullptr) != 1 ||
        !Store(result.get(), lane, out)) {
      return false;
    }
  }
  return true;
}

// One lane at a time: a search can stop at its prime, and an abandoned job
// within one test.
constexpr Kernel kKernel = {"openssl", 512,         kMaxBits, 1,
                            0,         FermatBase2, ModExp,   nullptr};

}  // namespace

const Kernel *OpenSslKernel() { return &kKernel; }

}  // namespace pairmint::mont
