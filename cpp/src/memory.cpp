#include "mastra/memory.hpp"

#include <atomic>

#include "mastra/object_pool.hpp"

namespace mastra {
namespace {

struct alignas(64) Counter {
  std::atomic<std::int64_t> live{0};
  std::atomic<std::int64_t> peak{0};
  std::atomic<std::uint64_t> allocations{0};
};

std::array<Counter, kMemoryCategories>& counters() noexcept {
  static std::array<Counter, kMemoryCategories> all;
  return all;
}

Counter& counter(MemoryCategory category) noexcept { return counters()[static_cast<std::size_t>(category)]; }

void raise_to(std::atomic<std::int64_t>& peak, std::int64_t value) noexcept {
  std::int64_t before = peak.load(std::memory_order_relaxed);
  while (before < value && !peak.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

const char* memory_category_name(MemoryCategory category) noexcept {
  static constexpr const char* kNames[kMemoryCategories] = {"codes", "links", "cache", "pool", "buffers", "text", "other"};
  return kNames[static_cast<std::size_t>(category)];
}

void count_memory(MemoryCategory category, std::int64_t bytes) noexcept {
  Counter& at = counter(category);
  const std::int64_t live = at.live.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (bytes <= 0) return;
  at.allocations.fetch_add(1, std::memory_order_relaxed);
  raise_to(at.peak, live);
}

MemoryUse memory_use(MemoryCategory category) noexcept {
  const Counter& at = counter(category);
  return {at.live.load(std::memory_order_relaxed), at.peak.load(std::memory_order_relaxed),
          at.allocations.load(std::memory_order_relaxed)};
}

void reset_memory_peaks() noexcept {
  for (Counter& at : counters()) at.peak.store(at.live.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

std::size_t thread_number() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace mastra
