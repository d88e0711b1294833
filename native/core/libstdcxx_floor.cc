// GCC 11 and later call this function from every growing std::vector, and
// libstdc++ exports it as GLIBCXX_3.4.29 only. A hidden definition of our own
// keeps the addon loadable on the systems that Node 20 itself supports
// (GLIBCXX_3.4.21; Debian 11, Ubuntu 20.04, RHEL 8).
#include <cstdlib>
#include <memory>

#if defined(__GLIBCXX__) && __GNUC__ >= 11
namespace std {
void __throw_bad_array_new_length() { std::abort(); }
}  // namespace std
#endif

// What _GLIBCXX_ASSERTIONS call when one fails is exported as GLIBCXX_3.4.30
// since GCC 12. An index that is out of range must go no further.
#if defined(__GLIBCXX__) && _GLIBCXX_RELEASE >= 12
namespace std {
[[gnu::noreturn]] void __glibcxx_assert_fail(
    const char * /*file*/, int /*line*/, const char * /*function*/,
    const char * /*condition*/) noexcept {
  std::abort();
}
}  // namespace std
#endif

#if defined(__GLIBCXX__)
#if !__cpp_rtti
// std::make_shared compares a tag by address first and asks libstdc++
// (GLIBCXX_3.4.26) only for objects of code that has RTTI. This code has none.
bool std::_Sp_make_shared_tag::_S_eq(const type_info & /*ti*/) noexcept {
  return false;
}
#endif
// glibc 2.32 tells std::shared_ptr here whether a plain counter will do. Node
// has threads from the start: always count atomically.
extern "C" {
[[gnu::visibility("hidden")]] char __libc_single_threaded = 0;
}
#endif
