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
#include <unistd.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
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

// Blocks above the size of a chunk are the workspaces of kernels, 128 KiB: two
// for each thread that makes an RSA key. Giving pages back to the system and
// taking new ones costs a fifth of a millisecond in a virtual machine, so that
// wiped ones are kept. 2 MiB serve eight threads and leave most of the usual
// RLIMIT_MEMLOCK of 8 MiB; what more threads need is given back.
constexpr size_t kRunSize = 2 * kChunkSize;
constexpr size_t kMaxNumKept = (size_t{1} << 21) / kRunSize;

std::atomic<bool> all_locked{true};
std::atomic<size_t> num_mapped{0};

// Tell AddressSanitizer which bytes belong to a secret.
void Forbid([[maybe_unused]] const uint8_t *at, [[maybe_unused]] size_t len) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(at, len);
#endif
}
void Allow([[maybe_unused]] const uint8_t *at, [[maybe_unused]] size_t len) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(at, len);
#endif
}

size_t PageSize() {
#if defined(_WIN32)
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
#else
  return static_cast<size_t>(sysconf(_SC_PAGESIZE));
#endif
}

// Locked pages between two that nobody may touch: code that runs over the end
// of a chunk ends the process instead of reading or spoiling something else.
uint8_t *MapPages(size_t size) {
  const size_t guard = PageSize();
  num_mapped.fetch_add(1, std::memory_order_relaxed);
#if defined(_WIN32)
  auto *around = static_cast<uint8_t *>(
      VirtualAlloc(nullptr, size + 2 * guard, MEM_RESERVE, PAGE_NOACCESS));
  if (around == nullptr || VirtualAlloc(around + guard, size, MEM_COMMIT,
                                        PAGE_READWRITE) == nullptr) {
    std::abort();
  }
  uint8_t *pages = around + guard;
  const bool locked = VirtualLock(pages, size) != 0;
#else
  void *around = mmap(nullptr, size + 2 * guard, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (around == MAP_FAILED) {
    std::abort();
  }
  uint8_t *pages = static_cast<uint8_t *>(around) + guard;
  if (mprotect(pages, size, PROT_READ | PROT_WRITE) != 0) {
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
  return pages;
}

void UnmapPages(uint8_t *pages, size_t size) {
#if defined(_WIN32)
  VirtualUnlock(pages, size);
  VirtualFree(pages - PageSize(), 0, MEM_RELEASE);
#else
  munmap(pages - PageSize(), size + 2 * PageSize());
#endif
}

// The free blocks of each size, for all threads. A free block holds the pointer
// to the next one in its first bytes; everything else in it is zero. Blocks
// belong to the process: a worker that is terminated returns its own, and a
// process that was forked has a copy of them all.
class Arena {
 public:
  uint8_t *Take(size_t block_size) {
    uint8_t *block =
        block_size > kChunkSize ? TakePages(block_size) : TakeBlock(block_size);
    Allow(block, block_size);
    return block;
  }

  // The block was wiped.
  void Return(uint8_t *block, size_t block_size) {
    Allow(block, block_size);
    if (block_size > kChunkSize) {
      ReturnPages(block, block_size);
    } else {
      ReturnBlock(block, block_size);
    }
  }

  [[nodiscard]] size_t NumKept() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return num_kept_;
  }

 private:
  uint8_t *TakePages(size_t size) {
    if (size == kRunSize) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (num_kept_ > 0) {
        return kept_[--num_kept_];
      }
    }
    return MapPages(size);
  }

  void ReturnPages(uint8_t *pages, size_t size) {
    if (size == kRunSize) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (num_kept_ < kMaxNumKept) {
        Forbid(pages, size);
        kept_[num_kept_++] = pages;
        return;
      }
    }
    UnmapPages(pages, size);
  }

  uint8_t *TakeBlock(size_t block_size) {
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

  void ReturnBlock(uint8_t *block, size_t block_size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    uint8_t *&head = free_[ClassOf(block_size)];
    memcpy(block, &head, kLinkSize);
    Forbid(block + kLinkSize, block_size - kLinkSize);
    head = block;
  }

  static size_t ClassOf(size_t block_size) {
    return static_cast<size_t>(std::bit_width(block_size / kMinBlockSize)) - 1;
  }

  static void Refill(size_t block_size, uint8_t *&head) {
    uint8_t *chunk = MapPages(kChunkSize);
    for (size_t at = 0; at < kChunkSize; at += block_size) {
      memcpy(chunk + at, &head, kLinkSize);
      Forbid(chunk + at + kLinkSize, block_size - kLinkSize);
      head = chunk + at;
    }
  }

  std::mutex mutex_;
  std::array<uint8_t *, kNumClasses> free_{};
  std::array<uint8_t *, kMaxNumKept> kept_{};
  size_t num_kept_ = 0;
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
  data_ = TheArena().Take(capacity_);
  Forbid(data_ + size_, capacity_ - size_);
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
  Wipe({data_, size_});
  TheArena().Return(data_, capacity_);
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
    Wipe({data_ + size, size_ - size});
    Forbid(data_ + size, size_ - size);
    size_ = size;
  }
}

void Wipe(MutableByteSpan bytes) {
#if defined(__GNUC__)
  memset(bytes.data(), 0, bytes.size());
  // The compiler must take it that somebody reads them.
  __asm__ volatile("" : : "r"(bytes.data()) : "memory");
#else
  OPENSSL_cleanse(bytes.data(), bytes.size());
#endif
}

#if defined(PAIRMINT_TESTING)
SecretPages CountSecretPages() {
  return {num_mapped.load(std::memory_order_relaxed), TheArena().NumKept()};
}
#endif

bool LockedMemory() { return all_locked.load(std::memory_order_relaxed); }

}  // namespace pairmint::core
