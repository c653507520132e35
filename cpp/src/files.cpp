#include "files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "mastra/error.hpp"

namespace mastra::files {

void fail(const std::string& path, const char* what) {
  const int code = errno;
  throw Error(code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
              std::string(what) + " " + path + ": " + std::strerror(code) + ".");
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

int create(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail(path, "Cannot create");
  return file;
}

void write_all(int file, const std::string& path, const void* data, std::size_t bytes) {
  const auto* at = static_cast<const std::uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t wrote = write(file, at, bytes < (1U << 30U) ? bytes : 1U << 30U);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) fail(path, "Cannot write");
    at += wrote;
    bytes -= static_cast<std::size_t>(wrote);
  }
}

void flush(int file, const std::string& path) {
  if (fsync(file) != 0) fail(path, "Cannot flush");
}

void close(int file) noexcept {
  if (file >= 0) ::close(file);
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
  const int file = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) fail(folder, "Cannot open");
  const int done = fsync(file);
  ::close(file);
  if (done != 0) fail(folder, "Cannot flush");
}

}  // namespace mastra::files
