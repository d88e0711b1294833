#include "rsa/candidates.h"

#include <algorithm>

#include "core/random.h"
#include "core/words.h"

namespace pairmint::rsa {
namespace {

using core::Status;
using core::StatusCode;
using mont::kLanes;

// Candidates to a draw. Of 128 some 14 survive trial division, nearly two
// batches of eight lanes. Fewer would leave lanes empty in its last stages and
// call the generator more often. More would be thrown away unused at the end of
// a key: it takes 355 candidates on average to find a prime of 1,024 bits.
constexpr size_t kDrawLen = 128;

size_t ByteLen(int bits) { return static_cast<size_t>(bits) / 8; }

// FIPS 186-5, A.1.3, steps 4.2 to 4.4 and 5.2 to 5.5 for a big-endian string:
// the top two bits keep the number above sqrt(2) * 2^(bits - 1), as
// 3/2 > sqrt(2), so that the comparisons of steps 4.4 and 5.5 cannot fail; that
// leaves out the lowest 15 % of the standard's range. The last three bits make
// it odd and 7 mod 8, as the parameters a = b = 7 ask. For numbers that are 3
// mod 4 Miller-Rabin is a single exponentiation, and p - 1 and q - 1 have only
// one factor 2.
void Shape(uint8_t *candidate, size_t len) {
  candidate[0] |= 0xc0;
  candidate[len - 1] |= 0x07;
}

}  // namespace

Candidates::Candidates(int bits, const mont::Kernel &kernel,
                       CandidateSource *source)
    : bits_(bits),
      kernel_(kernel),
      source_(source),
      drawn_(kDrawLen * ByteLen(bits)) {
  if (kernel.divide != nullptr) {
    lane_divisors_ = &LaneDivisors::For(bits);
  } else {
    portable_divisors_ = &PortableDivisors::For(bits);
    words_ = core::SecretBytes(kDrawLen * portable_divisors_->num_words() *
                               core::kWordLen);
  }
  survivors_.reserve(kDrawLen);
}

Status Candidates::Next(int len, const core::AbortFlag &abort,
                        uint8_t *workspace, Batch *out) {
  for (int i = 0; i < len; i++) {
    // A draw may leave no survivor at all; the next one is independent. With a
    // tenth of 128 expected, that happens less than once in 10^5 draws.
    while (next_survivor_ == survivors_.size()) {
      PAIRMINT_RETURN_IF_ERROR(Draw());
      PAIRMINT_RETURN_IF_ERROR(portable_divisors_ != nullptr
                                   ? DivideByRows(abort)
                                   : DivideInLanes(abort, workspace));
    }
    const size_t index = survivors_[next_survivor_++];
    Load(index, out->numbers.words[i]);
    // drawn_before_ includes this draw already.
    out->positions[i] = drawn_before_ - kDrawLen + index + 1;
  }
  out->len = len;
  return Status::Ok();
}

Status Candidates::Draw() {
  survivors_.clear();
  next_survivor_ = 0;
  PAIRMINT_RETURN_IF_ERROR(source_ != nullptr
                               ? source_->Draw(drawn_.mutable_span())
                               : core::FillRandom(drawn_.mutable_span()));
  for (size_t i = 0; i < kDrawLen; i++) {
    // Setting bits of a uniform string leaves the other bits uniform: no string
    // is drawn twice as often as another, and none is drawn again.
    Shape(drawn_.data() + i * ByteLen(bits_), ByteLen(bits_));
  }
  drawn_before_ += kDrawLen;
  return Status::Ok();
}

void Candidates::Load(size_t index, uint64_t *words) const {
  const size_t len = ByteLen(bits_);
  core::ToWords(drawn_.span().subspan(index * len, len), {words, mont::kWords});
}

// Which candidates are composite is no secret: they are thrown away, and they
// tell nothing about the independent ones that follow.
Status Candidates::DivideInLanes(const core::AbortFlag &abort,
                                 uint8_t *workspace) {
  // Indices need no locked memory: where the survivors stood in the draw is as
  // little a secret as how many were refused.
  std::vector<size_t> alive(kDrawLen);
  for (size_t i = 0; i < kDrawLen; i++) {
    alive[i] = i;
  }
  for (const LaneDivisors::Stage &stage : lane_divisors_->stages) {
    size_t num_left = 0;
    // Survivors move to the front in the order they had, because A.1.3 takes
    // the first prime of the stream, not any: num_left never passes at + lane,
    // so that nothing is overwritten that is still to be read.
    for (size_t at = 0; at < alive.size(); at += kLanes) {
      if (abort.raised()) {
        return Status(StatusCode::kAborted);
      }
      const size_t len = std::min<size_t>(kLanes, alive.size() - at);
      // Lanes above `len` keep the numbers of an earlier call, and their
      // verdicts stay 0: they are divided in vain and not looked at.
      mont::Verdicts verdicts = {};
      for (size_t lane = 0; lane < len; lane++) {
        Load(alive[at + lane], numbers_->words[lane]);
        verdicts.lanes[lane] = 1;
      }
      kernel_.divide(bits_, &lane_divisors_->groups[stage.first_group],
                     stage.num_groups, *numbers_, workspace, &verdicts);
      for (size_t lane = 0; lane < len; lane++) {
        if (verdicts.lanes[lane] != 0) {
          alive[num_left++] = alive[at + lane];
        }
      }
    }
    alive.resize(num_left);
  }
  survivors_ = std::move(alive);
  return Status::Ok();
}

Status Candidates::DivideByRows(const core::AbortFlag &abort) {
  const size_t num_words = portable_divisors_->num_words();
  auto *words = reinterpret_cast<uint64_t *>(words_.data());
  for (size_t i = 0; i < kDrawLen; i++) {
    Load(i, numbers_->words[0]);
    std::copy_n(numbers_->words[0], num_words, words + i * num_words);
    survivors_.push_back(i);
  }
  return portable_divisors_->Keep(words, abort, &survivors_)
             ? Status::Ok()
             : Status(StatusCode::kAborted);
}

}  // namespace pairmint::rsa
