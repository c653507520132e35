// Where the core's memory goes, and what the process may use.
//
// Purpose: every large allocation of the core is counted under a category, so that a leak is a number
// that does not return. Reading a count costs one load; counting costs one atomic addition for each
// allocation, none for each access.
// Ownership: the counts belong to the process and are never destroyed; texts and numbers are handed out as copies.
// Thread safety: everything here may be called from any thread.
// REQUIRES: what is counted off was counted on, under the same category and with the same bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace mastra {

enum class MemoryCategory : std::uint8_t { kCodes, kLinks, kCache, kPool, kBuffers, kText, kOther };
inline constexpr std::size_t kMemoryCategories = 7;

const char* memory_category_name(MemoryCategory category) noexcept;

struct MemoryUse {
  std::int64_t live = 0;         // bytes now
  std::int64_t peak = 0;         // the most since the start or the last reset
  std::uint64_t allocations = 0;  // how many additions
};

// Counts `bytes` (negative: given back). The peak follows.
void count_memory(MemoryCategory category, std::int64_t bytes) noexcept;
MemoryUse memory_use(MemoryCategory category) noexcept;
void reset_memory_peaks() noexcept;  // each peak becomes what is live

// Counts a fixed number of bytes for as long as it lives; may be resized.
class MemoryClaim {
 public:
  explicit MemoryClaim(MemoryCategory category, std::size_t bytes = 0) noexcept : category_(category) { resize(bytes); }
  ~MemoryClaim() { resize(0); }
  MemoryClaim(const MemoryClaim&) = delete;
  MemoryClaim& operator=(const MemoryClaim&) = delete;
  void resize(std::size_t bytes) noexcept {
    const auto change = static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(bytes_);
    if (change != 0) count_memory(category_, change);
    bytes_ = bytes;
  }

 private:
  MemoryCategory category_;
  std::size_t bytes_ = 0;
};

// An allocator for standard containers that counts.
template <typename T, MemoryCategory Category>
struct CountingAllocator {
  using value_type = T;
  template <typename U>
  struct rebind {
    using other = CountingAllocator<U, Category>;
  };

  CountingAllocator() noexcept = default;
  template <typename U>
  CountingAllocator(const CountingAllocator<U, Category>& /*other*/) noexcept {}

  T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    T* out = static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{alignof(T)}));
    count_memory(Category, static_cast<std::int64_t>(count * sizeof(T)));
    return out;
  }
  void deallocate(T* pointer, std::size_t count) noexcept {
    count_memory(Category, -static_cast<std::int64_t>(count * sizeof(T)));
    ::operator delete(pointer, std::align_val_t{alignof(T)});
  }
  template <typename U>
  bool operator==(const CountingAllocator<U, Category>& /*other*/) const noexcept { return true; }
};

// What the operating system says. Empty where it says nothing.
struct ProcessMemory {
  std::optional<std::uint64_t> resident;       // bytes in memory now
  std::optional<std::uint64_t> peak_resident;
  std::optional<std::uint64_t> proportional;   // shared pages divided among their users; Linux only
  std::optional<std::uint64_t> virtual_size;
};

struct MemoryLimits {
  std::optional<std::uint64_t> physical;         // of the machine
  std::optional<std::uint64_t> available;        // of the machine, without swapping
  std::optional<std::uint64_t> control_group;    // the smallest limit of this process's groups (v2 or v1)
  std::optional<std::uint64_t> control_group_use;  // of the group with that limit, page cache that can go left out
  std::optional<std::uint64_t> address_space;    // rlimit
};

// `root` stands before /proc and /sys: tests put a made-up system there. `proportional` costs milliseconds.
ProcessMemory process_memory(bool with_proportional = false, const std::string& root = "");
MemoryLimits memory_limits(const std::string& root = "");

}  // namespace mastra
