#include "core/secret_bytes.h"

#include <openssl/crypto.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#endif

namespace pairmint::core {
namespace {

// A secret of 32 bytes must not cost an mmap and an mlock, so locked pages are
// taken 64 KiB at a time and cut into power-of-two blocks. Larger would pin
// memory that most processes never use; the usual RLIMIT_MEMLOCK of 8 MiB (64
// KiB on old kernels) holds at least one.
constexpr size_t kChunkSize = size_t{1} << 16;
constexpr size_t kMinBlockSize = 32;
constexpr size_t kLinkSize = sizeof(uint8_t *);
constexpr size_t kNumClasses = std::bit_width(kChunkSize / kMinBlockSize);

std::atomic<bool> all_locked{true};

uint8_t *MapPages(size_t size) {
#if defined(_WIN32)
  void *pages =
      VirtualAlloc(nullptr, size, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
  if (pages == nullptr) {
    std::abort();
  }
  const bool locked = VirtualLock(pages, size) != 0;
#else
  void *pages = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    std::abort();
  }
  bool locked = mlock(pages, size) == 0;
#if defined(MADV_DONTDUMP)
  locked = madvise(pages, size, MADV_DONTDUMP) == 0 && locked;
#endif
#endif
  if (!locked) {
    all_locked.store(false, std::memory_order_relaxed);
  }
  return static_cast<uint8_t *>(pages);
}

void UnmapPages(uint8_t *pages, size_t size) {
#if defined(_WIN32)
  VirtualUnlock(pages, size);
  VirtualFree(pages, 0, MEM_RELEASE);
#else
  munmap(pages, size);
#endif
}

// The free blocks of each size. A free block holds the pointer to the next one
// in its first bytes; everything else in it is zero.
class Arena {
 public:
  uint8_t *Take(size_t block_size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    uint8_t *&head = free_[ClassOf(block_size)];
    if (head == nullptr) {
      Refill(block_size, head);
    }
    uint8_t *block = head;
    memcpy(&head, block, kLinkSize);
    memset(block, 0, kLinkSize);
    return block;
  }

  void Return(uint8_t *block, size_t block_size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    uint8_t *&head = free_[ClassOf(block_size)];
    memcpy(block, &head, kLinkSize);
    head = block;
  }

 private:
  static size_t ClassOf(size_t block_size) {
    return static_cast<size_t>(std::bit_width(block_size / kMinBlockSize)) - 1;
  }

  static void Refill(size_t block_size, uint8_t *&head) {
    uint8_t *chunk = MapPages(kChunkSize);
    for (size_t at = 0; at < kChunkSize; at += block_size) {
      memcpy(chunk + at, &head, kLinkSize);
      head = chunk + at;
    }
  }

  std::mutex mutex_;
  std::array<uint8_t *, kNumClasses> free_{};
};

// Never destroyed: secrets of other static objects may outlive any order of
// destruction we could choose.
Arena &TheArena() {
  static Arena *arena = new Arena;
  return *arena;
}

}  // namespace

SecretBytes::SecretBytes(size_t size) : size_(size) {
  if (size == 0) {
    return;
  }
  capacity_ = std::bit_ceil(size < kMinBlockSize ? kMinBlockSize : size);
  data_ = capacity_ <= kChunkSize ? TheArena().Take(capacity_)
                                  : MapPages(capacity_);
}

SecretBytes::SecretBytes(ByteSpan copy_of) : SecretBytes(copy_of.size()) {
  if (data_ != nullptr) {
    memcpy(data_, copy_of.data(), copy_of.size());
  }
}

SecretBytes::~SecretBytes() {
  if (data_ == nullptr) {
    return;
  }
  OPENSSL_cleanse(data_, size_);
  if (capacity_ <= kChunkSize) {
    TheArena().Return(data_, capacity_);
  } else {
    UnmapPages(data_, capacity_);
  }
}

SecretBytes::SecretBytes(SecretBytes &&other) noexcept
    : data_(other.data_), size_(other.size_), capacity_(other.capacity_) {
  other.data_ = nullptr;
  other.size_ = 0;
  other.capacity_ = 0;
}

SecretBytes &SecretBytes::operator=(SecretBytes &&other) noexcept {
  SecretBytes taken(std::move(other));
  std::swap(data_, taken.data_);
  std::swap(size_, taken.size_);
  std::swap(capacity_, taken.capacity_);
  return *this;
}

void SecretBytes::Truncate(size_t size) {
  if (size < size_) {
    OPENSSL_cleanse(data_ + size, size_ - size);
    size_ = size;
  }
}

bool LockedMemory() { return all_locked.load(std::memory_order_relaxed); }

}  // namespace pairmint::core
