#include "ec/plain.h"

#if defined(__SIZEOF_INT128__)
#include "ec/inverse.h"
#include "ec/point.h"

namespace pairmint::ec {
namespace {

template <int kBits, bool kAIsZero>
class PlainCurveOf final : public PlainCurve {
 public:
  static constexpr int kLimbs = (kBits + 63) / 64;
  using Element = Number<kLimbs>;

  explicit PlainCurveOf(const CombCurve &curve)
      : p_(Load(curve.p)),
        law_(p_, Load(curve.b)),
        inverter_(p_),
        b_(law_.field().ToMontgomery(Load(curve.b))) {}

  void MakeAffine(size_t count, const uint64_t *points, uint64_t *workspace,
                  uint64_t *out) const override {
    ec::MakeAffine(field(), inverter_, count, points, workspace, out);
  }

  [[nodiscard]] bool IsOnCurve(const uint64_t *affine) const override {
    const Element x_plain = Load(affine);
    const Element y_plain = Load(affine + kLimbs);
    Element unused;
    if (SubtractLimbs(x_plain, p_, &unused) == 0 ||
        SubtractLimbs(y_plain, p_, &unused) == 0) {
      return false;
    }
    const Element x = field().ToMontgomery(x_plain);
    const Element y = field().ToMontgomery(y_plain);
    Element right = field().Multiply(field().Multiply(x, x), x);
    if constexpr (!kAIsZero) {
      right = field().Subtract(right, field().Add(field().Add(x, x), x));
    }
    return Equal(field().Multiply(y, y), field().Add(right, b_));
  }

  void Add(const uint64_t *a, const uint64_t *b, uint64_t *out) const override {
    const Point<kLimbs> sum = law_.Add(FromAffine(a), FromAffine(b));
    Store(sum.X, out);
    Store(sum.Y, out + kLimbs);
    Store(sum.Z, out + 2 * kLimbs);
  }

  [[nodiscard]] bool AreSame(const uint64_t *a,
                             const uint64_t *b) const override {
    const Element a_z = Load(a + 2 * kLimbs), b_z = Load(b + 2 * kLimbs);
    const Element zero = {};
    const auto same = [&](int at) {
      return Equal(field().Multiply(Load(a + at), b_z),
                   field().Multiply(Load(b + at), a_z));
    };
    // A Z of p, which lanes may write, is 0 as well.
    return !Equal(field().Multiply(a_z, b_z), zero) && same(0) && same(kLimbs);
  }

 private:
  [[nodiscard]] const Field<kLimbs> &field() const { return law_.field(); }

  static Element Load(const uint64_t *words) { return ec::Load<kLimbs>(words); }
  [[nodiscard]] Point<kLimbs> FromAffine(const uint64_t *affine) const {
    return {field().ToMontgomery(Load(affine)),
            field().ToMontgomery(Load(affine + kLimbs)), field().one()};
  }

  Element p_;
  Law<kLimbs, kAIsZero> law_;
  Inverter<kBits> inverter_;
  Element b_;
};

}  // namespace

std::unique_ptr<PlainCurve> PlainCurve::Make(size_t num_limbs, bool a_is_zero,
                                             const CombCurve &curve) {
  if (num_limbs == 4 && a_is_zero) {
    return std::make_unique<PlainCurveOf<256, true>>(curve);
  }
  if (num_limbs == 4) {
    return std::make_unique<PlainCurveOf<256, false>>(curve);
  }
  if (num_limbs == 6 && !a_is_zero) {
    return std::make_unique<PlainCurveOf<384, false>>(curve);
  }
  if (num_limbs == 9 && !a_is_zero) {
    return std::make_unique<PlainCurveOf<521, false>>(curve);
  }
  return nullptr;
}

}  // namespace pairmint::ec
#else  // MSVC has no 128-bit integers
namespace pairmint::ec {
std::unique_ptr<PlainCurve> PlainCurve::Make(size_t, bool, const CombCurve &) {
  return nullptr;
}
}  // namespace pairmint::ec
#endif
