// A file mapped into memory: private pages, so that changes never reach the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace mastra {

class Mapping {
 public:
  // mmap = false reads the file into memory instead. Throws Error(kNotFound) or Error(kIo), naming the file.
  Mapping(const std::string& path, bool mmap);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] std::uint8_t* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

}  // namespace mastra
