// A library to preload, in whose processes an allocation of the main program
// fails when it is told so: of Node.js, and so of the OpenSSL inside it. Those
// of other libraries, operator new among them, succeed.
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);

static __thread long countdown = -1;
static __thread int armed;
static const char *program_begin, *program_end;

// The main program is the first that the loader tells of.
static int FindProgram(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  (void)data;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    const char *begin = (const char *)info->dlpi_addr + segment->p_vaddr;
    if (segment->p_type != PT_LOAD) {
      continue;
    }
    if (program_begin == NULL || begin < program_begin) {
      program_begin = begin;
    }
    if (begin + segment->p_memsz > program_end) {
      program_end = begin + segment->p_memsz;
    }
  }
  return 1;
}

static int Fails(const char *caller) {
  return armed && caller >= program_begin && caller < program_end &&
         countdown-- == 0;
}

void *malloc(size_t size) {
  return Fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  return Fails(__builtin_return_address(0)) ? NULL
                                            : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
  return Fails(__builtin_return_address(0)) ? NULL
                                            : __libc_realloc(block, size);
}

// The n-th allocation from now on, counted from 0, fails in this thread; none
// does for a negative n. Returns what is left of the count before.
long pairmint_fail_after(long n) {
  const long left = countdown;
  if (program_end == NULL) {
    dl_iterate_phdr(FindProgram, NULL);
  }
  armed = n >= 0;
  countdown = n;
  return left;
}
