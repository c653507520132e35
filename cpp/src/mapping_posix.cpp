#include "mapping.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "files.hpp"

namespace mastra {

Mapping::Mapping(const std::string& path, bool mmap_file) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) files::fail(path, "Cannot open");
  struct stat about {};
  if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
    close(file);
    if (errno == 0) errno = EINVAL;
    files::fail(path, "Cannot read");
  }
  size_ = static_cast<std::size_t>(about.st_size);
  mapped_ = size_ == 0 ? 1 : size_;
  const int flags = mmap_file ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS;
  void* at = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, flags, mmap_file && size_ != 0 ? file : -1, 0);
  if (at == MAP_FAILED && mmap_file && size_ == 0) {
    at = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  if (at == MAP_FAILED) {
    close(file);
    throw std::bad_alloc();
  }
  data_ = static_cast<std::uint8_t*>(at);
  std::size_t have = mmap_file ? size_ : 0;
  while (have < size_) {
    const ssize_t got = read(file, data_ + have, size_ - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      close(file);
      munmap(data_, mapped_);
      files::fail(path, "Cannot read");
    }
    have += static_cast<std::size_t>(got);
  }
  close(file);
}

Mapping::~Mapping() { munmap(data_, mapped_); }

}  // namespace mastra
