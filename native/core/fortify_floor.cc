// What _FORTIFY_SOURCE makes of calls whose destination has a known size and
// whose length is known at run time only. glibc exports these functions, musl
// does not: definitions of our own, hidden, keep one binary loadable with both.
#undef _FORTIFY_SOURCE

#include <cstdlib>
#include <cstring>

#if defined(__linux__)
extern "C" {

// The names are glibc's.
// NOLINTBEGIN(readability-identifier-naming)

[[gnu::visibility("hidden")]] void *__memcpy_chk(void *out, const void *in,
                                                 size_t len, size_t room) {
  if (len > room) {
    abort();
  }
  return memcpy(out, in, len);
}

[[gnu::visibility("hidden")]] void *__memmove_chk(void *out, const void *in,
                                                  size_t len, size_t room) {
  if (len > room) {
    abort();
  }
  return memmove(out, in, len);
}

[[gnu::visibility("hidden")]] void *__memset_chk(void *out, int value,
                                                 size_t len, size_t room) {
  if (len > room) {
    abort();
  }
  return memset(out, value, len);
}

// NOLINTEND(readability-identifier-naming)

}  // extern "C"
#endif
