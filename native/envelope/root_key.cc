#include "envelope/root_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/random.h"
#include "envelope/record.h"

namespace pairmint::envelope {
namespace {

using core::SecretBytes;
using core::Status;
using core::StatusCode;

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;

  [[nodiscard]] bool open() const { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

Status IoError(const std::string &what, const std::string &path) {
  return Status(StatusCode::kIo, what + " " + path + ": " + strerror(errno));
}

std::string DirectoryOf(const std::string &path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

// libuv's, because glibc's own fstat would raise the floor to 2.33.
bool Inspect(const File &file, uv_stat_t *out) {
  uv_fs_t request;
  const int failed = uv_fs_fstat(nullptr, &request, file.descriptor(), nullptr);
  errno = -failed;
  *out = request.statbuf;
  return failed == 0;
}

// Root may do anything anyway.
bool IsTrusted(const uv_stat_t &info) {
  return info.st_uid == geteuid() || info.st_uid == 0;
}

// A user who may rename files in the folder can replace the key.
Status CheckFolder(const std::string &path) {
  const File folder(
      ::open(DirectoryOf(path).c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  uv_stat_t info;
  // One that may be passed through but not listed cannot be opened.
  if (!folder.open() || !Inspect(folder, &info)) {
    return Status::Ok();
  }
  if (!IsTrusted(info)) {
    return Status(StatusCode::kRootKeyRefused,
                  "the folder of the root key file " + path +
                      " belongs to another user; mend it with: chown " +
                      std::to_string(geteuid()) + " '" + DirectoryOf(path) +
                      "'");
  }
  const bool is_open = (info.st_mode & S_IWOTH) != 0;
  const bool keeps_owners = (info.st_mode & S_ISVTX) != 0;
  if (is_open && !keeps_owners) {
    return Status(StatusCode::kRootKeyRefused,
                  "others may write to the folder of the root key file " +
                      path + "; mend it with: chmod o-w '" + DirectoryOf(path) +
                      "'");
  }
  return Status::Ok();
}

Status CheckFile(const File &file, const std::string &path) {
  uv_stat_t info;
  if (!Inspect(file, &info)) {
    return IoError("cannot read the root key file", path);
  }
  if (!S_ISREG(info.st_mode)) {
    return Status(StatusCode::kRootKeyRefused,
                  "the root key file " + path + " is not a regular file");
  }
  if (!IsTrusted(info)) {
    return Status(StatusCode::kRootKeyRefused,
                  "the root key file " + path +
                      " belongs to another user; mend it with: chown " +
                      std::to_string(geteuid()) + " '" + path + "'");
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Status(StatusCode::kRootKeyRefused,
                  "the root key file " + path +
                      " can be read by others; mend it with: chmod 600 '" +
                      path + "'");
  }
  if (info.st_size != kRootKeyLen) {
    return Status(StatusCode::kRootKeyRefused,
                  "the root key file " + path + " must hold exactly " +
                      std::to_string(kRootKeyLen) + " raw bytes, not " +
                      std::to_string(info.st_size));
  }
  return Status::Ok();
}

// Whether all of `bytes` went through; `transfer` is read or write.
template <typename Transfer, typename Byte>
bool TransferAll(Transfer transfer, int descriptor, Byte *bytes, size_t len) {
  while (len > 0) {
    const ssize_t done = transfer(descriptor, bytes, len);
    if (done < 0 && errno == EINTR) {
      continue;
    }
    if (done <= 0) {
      return false;
    }
    bytes += done;
    len -= static_cast<size_t>(done);
  }
  return true;
}

bool SyncDirectory(const std::string &path) {
  const File directory(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return directory.open() && fsync(directory.descriptor()) == 0;
}

// A name beside `path` that no other process or thread uses.
Status DraftName(const std::string &path, std::string *out) {
  std::array<uint8_t, 8> random;
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(random));
  uint64_t number;
  memcpy(&number, random.data(), sizeof(number));
  *out = path + "." + std::to_string(number) + ".new";
  return Status::Ok();
}

Status WriteKey(const File &file, const std::string &path) {
  SecretBytes key(kRootKeyLen);
  PAIRMINT_RETURN_IF_ERROR(core::FillRandom(key.mutable_span()));
  if (!TransferAll(::write, file.descriptor(), key.data(), key.size()) ||
      fsync(file.descriptor()) != 0) {
    return IoError("cannot write the root key file", path);
  }
  return Status::Ok();
}

}  // namespace

Status ReadRootKey(const std::string &path, SecretBytes *out) {
  // O_NONBLOCK: opening a pipe would wait for a writer.
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) {
    if (errno == ENOENT) {
      return Status(StatusCode::kRootKeyMissing,
                    "there is no root key file " + path);
    }
    return IoError("cannot read the root key file", path);
  }
  PAIRMINT_RETURN_IF_ERROR(CheckFile(file, path));
  PAIRMINT_RETURN_IF_ERROR(CheckFolder(path));
  SecretBytes key(kRootKeyLen);
  if (!TransferAll(::read, file.descriptor(), key.data(), key.size())) {
    return IoError("cannot read the root key file", path);
  }
  *out = std::move(key);
  return Status::Ok();
}

Status CreateRootKey(const std::string &path, bool *created) {
  // Written under another name and then linked, which fails if the name is
  // taken: of two processes one makes the key and neither sees half of it.
  std::string draft;
  PAIRMINT_RETURN_IF_ERROR(DraftName(path, &draft));
  const File file(
      ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.open()) {
    return IoError("cannot write the root key file", path);
  }
  Status written = WriteKey(file, path);
  if (written.ok()) {
    *created = link(draft.c_str(), path.c_str()) == 0;
    if (!*created && errno != EEXIST) {
      written = IoError("cannot write the root key file", path);
    }
  }
  unlink(draft.c_str());
  PAIRMINT_RETURN_IF_ERROR(written);
  if (!SyncDirectory(DirectoryOf(path))) {
    return IoError("cannot write the folder of the root key file", path);
  }
  return Status::Ok();
}

}  // namespace pairmint::envelope
