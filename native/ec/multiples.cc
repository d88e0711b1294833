#include "ec/multiples.h"

#include <openssl/err.h>
#include <uv.h>

#include <map>
#include <mutex>

namespace pairmint::ec {
namespace {

using Precompute = int (*)(EC_GROUP *group, BN_CTX *ctx);

// EC_GROUP_precompute_mult is deprecated since 3.0: looked up by name, so that
// the addon loads even if it is gone. On Windows it is never found, but the
// comb is missing there too.
Precompute FindPrecompute() {
  void *function = nullptr;
  uv_lib_t process;
  if (uv_dlopen(nullptr, &process) != 0 ||
      uv_dlsym(&process, "EC_GROUP_precompute_mult", &function) != 0) {
    function = nullptr;
  }
  uv_dlclose(&process);
  return reinterpret_cast<Precompute>(function);
}

// Never freed, as a worker may still need it while the process exits. A refusal
// is an answer and not an error.
const EC_GROUP *MakeGroup(const Curve &curve) {
  static const Precompute kPrecompute = FindPrecompute();
  EC_GROUP *group = EC_GROUP_new_by_curve_name(curve.nid);
  if (group != nullptr && kPrecompute != nullptr) {
    ERR_set_mark();
    kPrecompute(group, nullptr);
    ERR_pop_to_mark();
  }
  return group;
}

}  // namespace

const EC_GROUP *GroupWithMultiples(const Curve &curve) {
  static std::mutex *const kMutex = new std::mutex;
  static auto *const kGroups = new std::map<const Curve *, const EC_GROUP *>;
  const std::lock_guard<std::mutex> lock(*kMutex);
  const EC_GROUP *&group = (*kGroups)[&curve];
  // One that could not be made, for want of memory, is tried again.
  if (group == nullptr) {
    group = MakeGroup(curve);
  }
  return group;
}

}  // namespace pairmint::ec
