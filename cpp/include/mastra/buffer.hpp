// The bytes that a parser must remember between two chunks, in memory that the next parser uses again.
//
// Purpose: an unfinished line, record or string. A stream that is between two events holds no memory for them, so
// thousands of open streams share a few buffers.
// Ownership: a buffer takes its bytes from one pool of the process when the first byte comes and gives them back with
// release() or its end. Beyond the pool's kBuffersKept it makes and frees its own. What waits in the pool has
// kBytesKept each; a larger one is cut down before it waits.
// Thread safety: one buffer belongs to one parser; the pool behind them serves every thread without locks.
// Memory: counted as "buffers"; the places of the pool as "pool".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "mastra/memory.hpp"
#include "mastra/object_pool.hpp"

namespace mastra {

class Buffer {
 public:
  static constexpr std::size_t kBuffersKept = 256;
  static constexpr std::size_t kBytesKept = 4096;

  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_ ? (*bytes_)->size() : 0; }
  // Valid until the next change.
  [[nodiscard]] std::string_view view() const noexcept { return bytes_ ? std::string_view(**bytes_) : std::string_view("", 0); }

  void append(std::string_view more) {
    if (!more.empty()) taken().append(more);
  }
  void append(char byte) { taken().push_back(byte); }
  void assign(std::string_view text) {
    clear();
    append(text);
  }
  void remove_prefix(std::size_t count) noexcept {
    if (count > 0) (*bytes_)->erase(0, count);
  }
  void clear() noexcept {
    if (bytes_) (*bytes_)->clear();
  }
  // Empty, and without memory.
  void release() noexcept { bytes_.reset(); }

 private:
  using Bytes = std::basic_string<char, std::char_traits<char>, CountingAllocator<char, MemoryCategory::kBuffers>>;

  static ObjectPool<Bytes>& pool();
  Bytes& taken() {
    if (!bytes_) bytes_.emplace(pool());
    return **bytes_;
  }

  std::optional<PoolLease<Bytes>> bytes_;
};

}  // namespace mastra
