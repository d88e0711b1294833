// GCC 11 and later call this function from every growing std::vector, and
// libstdc++ exports it as GLIBCXX_3.4.29 only. A hidden definition of our own
// keeps the addon loadable on the systems that Node 20 itself supports
// (GLIBCXX_3.4.21; Debian 11, Ubuntu 20.04, RHEL 8).
#include <cstdlib>

#if defined(__GLIBCXX__) && __GNUC__ >= 11
namespace std {
[[gnu::visibility("hidden")]] void __throw_bad_array_new_length() {
  std::abort();
}
}  // namespace std
#endif
