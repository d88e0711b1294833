// Preloaded: makes writing to some files fail, and the clock jump, as a file that this and the test have in
// memory says. FAULT_PREFIX: what the paths of those files begin with. FAULT_CONTROL: the file, whose
// numbers of 32 bits are
//   0  how many more calls work; counts down from there
//   1  the error number that those behind them get, 0 for none
//   2  whether only one of them gets it
//   3  how many got it
//   4  how many calls there were
//   5  by how many seconds the clock is wrong
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int32_t *control(void) {
  static _Atomic(_Atomic int32_t *) known;
  _Atomic int32_t *numbers = atomic_load(&known);
  if (numbers != NULL) return numbers;
  const char *path = getenv("FAULT_CONTROL");
  const int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return NULL;
  void *map = mmap(NULL, 64, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (map == MAP_FAILED) return NULL;
  atomic_store(&known, (_Atomic int32_t *)map);
  return map;
}

static int is_meant(int file) {
  const char *prefix = getenv("FAULT_PREFIX");
  char link[64], path[4096];
  if (prefix == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strncmp(path, prefix, strlen(prefix)) == 0;
}

static int fails(int file) {
  _Atomic int32_t *numbers = control();
  if (numbers == NULL || !is_meant(file)) return 0;
  atomic_fetch_add(&numbers[4], 1);
  const int32_t error = atomic_load(&numbers[1]);
  if (error == 0 || atomic_fetch_sub(&numbers[0], 1) > 0) return 0;
  if (atomic_load(&numbers[2])) atomic_store(&numbers[1], 0);
  atomic_fetch_add(&numbers[3], 1);
  errno = error;
  return 1;
}

#define WRAP(result, name, parameters, arguments)                     \
  result name parameters {                                            \
    static result(*_Atomic next) parameters;                          \
    if (next == NULL) next = (result(*) parameters)dlsym(RTLD_NEXT, #name); \
    return fails(file) ? -1 : next arguments;                         \
  }

WRAP(ssize_t, write, (int file, const void *bytes, size_t n), (file, bytes, n))
WRAP(ssize_t, pwrite, (int file, const void *bytes, size_t n, off_t at), (file, bytes, n, at))
WRAP(ssize_t, pwrite64, (int file, const void *bytes, size_t n, off64_t at), (file, bytes, n, at))
WRAP(int, fsync, (int file), (file))
WRAP(int, fdatasync, (int file), (file))
WRAP(int, ftruncate, (int file, off_t length), (file, length))
WRAP(int, ftruncate64, (int file, off64_t length), (file, length))
WRAP(int, fallocate, (int file, int mode, off_t at, off_t length), (file, mode, at, length))
WRAP(int, fallocate64, (int file, int mode, off64_t at, off64_t length), (file, mode, at, length))

static int32_t seconds_wrong(void) {
  _Atomic int32_t *numbers = control();
  return numbers == NULL ? 0 : atomic_load(&numbers[5]);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*_Atomic next)(clockid_t, struct timespec *);
  if (next == NULL) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  const int result = next(clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += seconds_wrong();
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  static int (*_Atomic next)(struct timeval *, void *);
  if (next == NULL) next = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  const int result = next(now, zone);
  now->tv_sec += seconds_wrong();
  return result;
}
