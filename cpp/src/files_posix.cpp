#include "files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "mastra/error.hpp"

namespace mastra::files {
namespace {

int number(Handle file) noexcept { return static_cast<int>(file); }

}  // namespace

void fail(const std::string& path, const char* what) {
  const int code = errno;
  throw Error(code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
              std::string(what) + " " + path + ": " + std::strerror(code) + ".");
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

Handle create(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail(path, "Cannot create");
  return file;
}

Handle open(const std::string& path) noexcept { return ::open(path.c_str(), O_RDWR | O_CLOEXEC); }

void write_all(Handle file, const std::string& path, const void* data, std::size_t bytes) {
  const auto* at = static_cast<const std::uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t wrote = write(number(file), at, bytes < (1U << 30U) ? bytes : 1U << 30U);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) fail(path, "Cannot write");
    at += wrote;
    bytes -= static_cast<std::size_t>(wrote);
  }
}

void flush(Handle file, const std::string& path) {
#if defined(__APPLE__)
  // fsync leaves it in the drive's own cache there. Not every file system knows the other.
  if (fcntl(number(file), F_FULLFSYNC) == 0) return;
#endif
  if (fsync(number(file)) != 0) fail(path, "Cannot flush");
}

void flush_data(Handle file, const std::string& path) {
#if defined(__APPLE__)
  flush(file, path);
#else
  if (fdatasync(number(file)) != 0) fail(path, "Cannot flush");
#endif
}

bool cut(Handle file, std::size_t bytes) noexcept {
  const auto at = static_cast<off_t>(bytes);
  return ftruncate(number(file), at) == 0 && lseek(number(file), at, SEEK_SET) == at;
}

bool lock(Handle file) noexcept { return flock(number(file), LOCK_EX | LOCK_NB) == 0; }

void close(Handle file) noexcept {
  if (file != kNoFile) ::close(number(file));
}

void rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail(to, "Cannot replace");
}

void keep(const std::string& from, const std::string& to) {
  const std::string between = to + ".tmp";
  unlink(between.c_str());
  if (link(from.c_str(), between.c_str()) != 0) {
    if (errno == ENOENT) return;
    fail(to, "Cannot keep the previous file as");
  }
  rename(between, to);
  unlink(between.c_str());  // both names of one file: rename does nothing then
}

void remove(const std::string& path) noexcept { unlink(path.c_str()); }

void flush_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) fail(folder, "Cannot open");
  const int done = fsync(file);
  ::close(file);
  if (done != 0) fail(folder, "Cannot flush");
}

}  // namespace mastra::files
