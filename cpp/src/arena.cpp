#include "arena.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#define MASTRA_MMAP 1
#else
#include <cstdlib>
#endif

namespace mastra {
namespace {

constexpr std::size_t kHuge = std::size_t{2} << 20U;
constexpr std::size_t kPage = 4096;

std::uint8_t* allocate(std::size_t bytes) {
#if defined(MASTRA_MMAP)
  const std::size_t extra = bytes >= kHuge ? kHuge : 0;  // so that the start can be aligned
  void* raw = mmap(nullptr, bytes + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) throw std::bad_alloc();
  auto* start = static_cast<std::uint8_t*>(raw);
  if (extra == 0) return start;
  const std::size_t skip = (kHuge - reinterpret_cast<std::uintptr_t>(start) % kHuge) % kHuge;
  if (skip != 0) munmap(start, skip);
  if (skip != extra) munmap(start + skip + bytes, extra - skip);
  return start + skip;
#else
  auto* out = static_cast<std::uint8_t*>(std::calloc(1, bytes));
  if (out == nullptr) throw std::bad_alloc();
  return out;
#endif
}

void give_back(std::uint8_t* data, std::size_t bytes) noexcept {
#if defined(MASTRA_MMAP)
  munmap(data, bytes);
#else
  std::free(data);
  (void)bytes;
#endif
}

// Whole huge pages for the rows that are asked for; the spare room behind them is not to become resident.
void advise(std::uint8_t* data, std::size_t used) noexcept {
#if defined(__linux__)
  if (used >= kHuge) madvise(data, used / kHuge * kHuge, MADV_HUGEPAGE);
#else
  (void)data;
  (void)used;
#endif
}

}  // namespace

Arena::~Arena() { release(); }

Arena::Arena(Arena&& other) noexcept { *this = std::move(other); }

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(row_bytes_, other.row_bytes_);
  std::swap(capacity_, other.capacity_);
  std::swap(bytes_, other.bytes_);
  std::swap(category_, other.category_);
  return *this;
}

void Arena::release() noexcept {
  if (bytes_ != 0) {
    give_back(data_, bytes_);
    count_memory(category_, -static_cast<std::int64_t>(bytes_));
  }
  data_ = nullptr;
  bytes_ = capacity_ = 0;
}

void Arena::borrow(std::uint8_t* bytes, std::size_t rows) noexcept {
  release();
  data_ = bytes;
  capacity_ = rows;
}

void Arena::grow(std::size_t rows) {
  if (row_bytes_ == 0 || rows <= capacity_) return;
  const std::size_t wanted = std::max(rows, capacity_ + capacity_ / 2);
  if (wanted > (SIZE_MAX / 2 - kHuge) / row_bytes_) throw std::bad_alloc();
  const std::size_t bytes = (wanted * row_bytes_ + kPage - 1) / kPage * kPage;
  std::uint8_t* fresh = allocate(bytes);
  advise(fresh, rows * row_bytes_);
  if (capacity_ != 0) std::memcpy(fresh, data_, capacity_ * row_bytes_);
  release();
  data_ = fresh;
  bytes_ = bytes;
  count_memory(category_, static_cast<std::int64_t>(bytes));
  capacity_ = bytes / row_bytes_;
}

}  // namespace mastra
