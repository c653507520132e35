// Rows of a fixed width in one run of memory, on huge pages where the system offers them.
//
// Purpose: the columns of the vector index. Addresses are reserved far ahead and taken in chunks, so that rows stay
// where they are while they grow, and only touched pages are resident. Ownership: an arena owns its memory; a mapped arena starts as
// a private view of a file that somebody else keeps open, and becomes its own copy page by page.
// Thread safety: grow moves the rows when they come from a file, when the reserved addresses are used up (8 GiB a
// column, or what the system allows), below 2 MiB and where a system cannot reserve; whoever calls it keeps readers out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mastra/memory.hpp"

namespace mastra {

class Arena {
 public:
  Arena() = default;
  explicit Arena(std::size_t row_bytes, MemoryCategory category = MemoryCategory::kOther) noexcept
      : row_bytes_(row_bytes), category_(category) {}
  ~Arena();
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Room for `rows` rows; what is there is kept, what is new is zero. Throws std::bad_alloc, unchanged.
  void grow(std::size_t rows);
  // Takes bytes of a mapping as the first `rows` rows; the mapping outlives the arena.
  void borrow(std::uint8_t* bytes, std::size_t rows) noexcept;

  [[nodiscard]] std::uint8_t* data() const noexcept { return data_; }
  [[nodiscard]] std::uint8_t* row(std::size_t i) const noexcept { return data_ + i * row_bytes_; }
  template <class T>
  [[nodiscard]] T* as() const noexcept {
    return reinterpret_cast<T*>(data_);
  }
  [[nodiscard]] std::size_t row_bytes() const noexcept { return row_bytes_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

 private:
  void release() noexcept;

  std::uint8_t* data_ = nullptr;
  std::size_t row_bytes_ = 0;
  std::size_t capacity_ = 0;
  std::size_t bytes_ = 0;     // taken by us, and counted; 0 when borrowed
  std::size_t reserved_ = 0;  // addresses from data_ on that are ours; no fewer than bytes_
  MemoryCategory category_ = MemoryCategory::kOther;
};

}  // namespace mastra
