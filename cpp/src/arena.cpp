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
constexpr std::size_t kReach = sizeof(void*) == 8 ? std::size_t{1} << 33U : 0;  // addresses that a column reserves

#if defined(MASTRA_MMAP)
#if !defined(MAP_NORESERVE)
#define MAP_NORESERVE 0
#endif

// How many addresses to reserve for so many bytes: a small column moves, which costs less than a reserve.
std::size_t reach_for(std::size_t bytes) noexcept { return bytes < kHuge ? bytes : std::max(kReach, 4 * bytes); }

// Addresses without memory behind them, from the start of a huge page on where one fits; null when there are none.
std::uint8_t* reserve(std::size_t bytes) noexcept {
  const std::size_t extra = bytes < kHuge ? 0 : kHuge;
  void* raw = mmap(nullptr, bytes + extra, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto* start = static_cast<std::uint8_t*>(raw);
  if (extra == 0) return start;
  const std::size_t skip = (kHuge - reinterpret_cast<std::uintptr_t>(start) % kHuge) % kHuge;
  if (skip != 0) munmap(start, skip);
  munmap(start + skip + bytes, extra - skip);
  return start + skip;
}

bool take(std::uint8_t* from, std::size_t bytes) noexcept { return mprotect(from, bytes, PROT_READ | PROT_WRITE) == 0; }
void give_back(std::uint8_t* data, std::size_t reserved) noexcept { munmap(data, reserved); }
#else
std::size_t reach_for(std::size_t bytes) noexcept { return bytes; }
std::uint8_t* reserve(std::size_t bytes) noexcept { return static_cast<std::uint8_t*>(std::calloc(1, bytes)); }
bool take(std::uint8_t* /*from*/, std::size_t /*bytes*/) noexcept { return true; }
void give_back(std::uint8_t* data, std::size_t /*reserved*/) noexcept { std::free(data); }
#endif

// Whole huge pages for the rows that are asked for; the spare room behind them is not to become resident.
void advise(std::uint8_t* data, std::size_t had, std::size_t used) noexcept {
#if defined(__linux__)
  const std::size_t from = had / kHuge * kHuge, to = used / kHuge * kHuge;
  if (to > from) madvise(data + from, to - from, MADV_HUGEPAGE);
#else
  (void)data;
  (void)had;
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
  std::swap(reserved_, other.reserved_);
  std::swap(category_, other.category_);
  return *this;
}

void Arena::release() noexcept {
  if (bytes_ != 0) {
    give_back(data_, reserved_);
    count_memory(category_, -static_cast<std::int64_t>(bytes_));
  }
  data_ = nullptr;
  bytes_ = capacity_ = reserved_ = 0;
}

void Arena::borrow(std::uint8_t* bytes, std::size_t rows) noexcept {
  release();
  data_ = bytes;
  capacity_ = rows;
}

void Arena::grow(std::size_t rows) {
  if (row_bytes_ == 0 || rows <= capacity_) return;
  const std::size_t spare = std::max(rows, capacity_ + capacity_ / 2);
  if (spare > (SIZE_MAX / 8 - kHuge) / row_bytes_) throw std::bad_alloc();
  const std::size_t bytes = (spare * row_bytes_ + kPage - 1) / kPage * kPage;
  if (bytes <= reserved_) {  // in place
    if (!take(data_ + bytes_, bytes - bytes_)) throw std::bad_alloc();
    advise(data_, capacity_ * row_bytes_, rows * row_bytes_);
    count_memory(category_, static_cast<std::int64_t>(bytes - bytes_));
    bytes_ = bytes;
    capacity_ = bytes / row_bytes_;
    return;
  }
  std::size_t reach = reach_for(bytes);
  std::uint8_t* fresh = reserve(reach);
  while (fresh == nullptr && reach > bytes) {  // a limit on addresses: as much as it allows
    reach = std::max(bytes, reach / 4 / kPage * kPage);
    fresh = reserve(reach);
  }
  if (fresh == nullptr) throw std::bad_alloc();
  if (!take(fresh, bytes)) {
    give_back(fresh, reach);
    throw std::bad_alloc();
  }
  advise(fresh, 0, rows * row_bytes_);
  if (capacity_ != 0) std::memcpy(fresh, data_, capacity_ * row_bytes_);
  release();
  data_ = fresh;
  bytes_ = bytes;
  reserved_ = reach;
  count_memory(category_, static_cast<std::int64_t>(bytes));
  capacity_ = bytes / row_bytes_;
}

}  // namespace mastra
