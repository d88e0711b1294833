#include "ec/edwards_plain.h"

#include "core/words.h"

#if defined(__SIZEOF_INT128__)
#include "ec/inverse.h"
#endif

namespace pairmint::ec {

void EncodeEdwards(const uint64_t *affine, core::MutableByteSpan out) {
  for (size_t i = 0; i < out.size(); i++) {
    out[i] = static_cast<uint8_t>(affine[4 + i / 8] >> (8 * (i % 8)));
  }
  out.back() |= static_cast<uint8_t>((affine[0] & 1) << 7);
}

#if defined(__SIZEOF_INT128__)
namespace {

constexpr int kLimbs = 4;
using Element = Number<kLimbs>;

constexpr Element kP = {{0xffffffffffffffed, 0xffffffffffffffff,
                         0xffffffffffffffff, 0x7fffffffffffffff}};
constexpr Element kD = {{0x75eb4dca135978a3, 0x00700a4d4141d8ab,
                         0x8cc740797779e898, 0x52036cee2b6ffe73}};
// 2^((p - 1) / 4)
constexpr Element kRootOfMinusOne = {{0xc4ee1b274a0ea0b0, 0x2f431806ad2fe478,
                                      0x2b4d00993dfbd7a7, 0x2b8324804fc1df0b}};

bool IsBelowP(const Element &a) {
  Element unused;
  return SubtractLimbs(a, kP, &unused) != 0;
}

class PlainEdwards25519 final : public PlainEdwards {
 public:
  PlainEdwards25519()
      : field_(kP), inverter_(kP), d_(field_.ToMontgomery(kD)) {}

  void MakeAffine(size_t count, const uint64_t *points, uint64_t *workspace,
                  uint64_t *out) const override {
    ec::MakeAffine(field_, inverter_, count, points, workspace, out);
  }

  [[nodiscard]] bool IsOnCurve(const uint64_t *affine) const override {
    const Element x_plain = Load<kLimbs>(affine);
    const Element y_plain = Load<kLimbs>(affine + kLimbs);
    if (!IsBelowP(x_plain) || !IsBelowP(y_plain)) {
      return false;
    }
    const Element x = field_.ToMontgomery(x_plain);
    const Element y = field_.ToMontgomery(y_plain);
    const Element xx = Times(x, x), yy = Times(y, y);
    return Equal(field_.Subtract(yy, xx),
                 field_.Add(field_.one(), Times(d_, Times(xx, yy))));
  }

  void Add(const uint64_t *a, const uint64_t *b, uint64_t *out) const override {
    // x = (x1 y2 + x2 y1) / (1 + z), y = (y1 y2 + x1 x2) / (1 - z) with z = d
    // x1 x2 y1 y2: complete, as -1 is a square and d is none.
    const Element x1 = Read(a), y1 = Read(a + kLimbs);
    const Element x2 = Read(b), y2 = Read(b + kLimbs);
    const Element xx = Times(x1, x2), yy = Times(y1, y2);
    const Element z = Times(d_, Times(xx, yy));
    const Element above_x = field_.Add(Times(x1, y2), Times(x2, y1));
    const Element above_y = field_.Add(yy, xx);
    const Element below_x = field_.Add(field_.one(), z);
    const Element below_y = field_.Subtract(field_.one(), z);
    Store(Times(above_x, below_y), out);
    Store(Times(above_y, below_x), out + kLimbs);
    Store(Times(below_x, below_y), out + 2 * kLimbs);
  }

  [[nodiscard]] bool AreSame(const uint64_t *a,
                             const uint64_t *b) const override {
    const Element a_z = Load<kLimbs>(a + 2 * kLimbs);
    const Element b_z = Load<kLimbs>(b + 2 * kLimbs);
    const auto same = [&](int at) {
      return Equal(Times(Load<kLimbs>(a + at), b_z),
                   Times(Load<kLimbs>(b + at), a_z));
    };
    return !Equal(Times(a_z, b_z), Element{}) && same(0) && same(kLimbs);
  }

  bool Decode(core::ByteSpan key, uint64_t *affine) const override {
    Element y_plain = {};
    for (size_t i = 0; i < key.size(); i++) {
      y_plain.limbs[i / 8] |= uint64_t{key[i]} << (8 * (i % 8));
    }
    const uint64_t sign = y_plain.limbs[3] >> 63;
    y_plain.limbs[3] &= ~(uint64_t{1} << 63);
    if (!IsBelowP(y_plain)) {
      return false;
    }
    const Element y = field_.ToMontgomery(y_plain);
    const Element yy = Times(y, y);
    const Element below = field_.Add(field_.one(), Times(d_, yy));
    const Element inverse =
        field_.ToMontgomery(inverter_.Invert(field_.FromMontgomery(below)));
    const Element xx = Times(field_.Subtract(yy, field_.one()), inverse);
    // A root is xx^((p + 3) / 8) = xx^(2^252 - 2), or that times the root of
    // -1.
    Element root = field_.one();
    for (int bit = 251; bit >= 0; bit--) {
      root = Times(root, root);
      root = bit == 0 ? root : Times(root, xx);
    }
    if (!Equal(Times(root, root), xx)) {
      root = Times(root, field_.ToMontgomery(kRootOfMinusOne));
    }
    Element x = field_.FromMontgomery(root);
    if (!Equal(Times(root, root), xx) || (Equal(x, Element{}) && sign != 0)) {
      return false;
    }
    if ((x.limbs[0] & 1) != sign) {
      x = field_.Subtract(Element{}, x);
    }
    Store(x, affine);
    Store(y_plain, affine + kLimbs);
    return true;
  }

 private:
  [[nodiscard]] Element Times(const Element &a, const Element &b) const {
    return field_.Multiply(a, b);
  }
  [[nodiscard]] Element Read(const uint64_t *words) const {
    return field_.ToMontgomery(Load<kLimbs>(words));
  }

  Field<kLimbs> field_;
  Inverter<256> inverter_;
  Element d_;
};

}  // namespace

std::unique_ptr<PlainEdwards> PlainEdwards::Make() {
  return std::make_unique<PlainEdwards25519>();
}
#else  // MSVC has no 128-bit integers
std::unique_ptr<PlainEdwards> PlainEdwards::Make() { return nullptr; }
#endif

}  // namespace pairmint::ec
