#include "mastra/memory.hpp"

#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

using mastra::memory_use;
using mastra::MemoryCategory;

TEST(containers_with_the_counting_allocator_are_counted) {
  const auto before = memory_use(MemoryCategory::kOther);
  {
    std::vector<int, mastra::CountingAllocator<int, MemoryCategory::kOther>> numbers(1000);
    CHECK(memory_use(MemoryCategory::kOther).live == before.live + 4000);
  }
  const auto after = memory_use(MemoryCategory::kOther);
  CHECK(after.live == before.live);
  CHECK(after.peak >= before.live + 4000);
  CHECK(after.allocations == before.allocations + 1);
}

TEST(a_claim_follows_its_size) {
  const auto before = memory_use(MemoryCategory::kText).live;
  {
    mastra::MemoryClaim claim(MemoryCategory::kText, 10);
    claim.resize(50);
    CHECK(memory_use(MemoryCategory::kText).live == before + 50);
    claim.resize(20);
    CHECK(memory_use(MemoryCategory::kText).live == before + 20);
  }
  CHECK(memory_use(MemoryCategory::kText).live == before);
}

TEST(many_threads_lose_no_byte) {
  const auto before = memory_use(MemoryCategory::kBuffers).live;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 10'000; ++i) mastra::MemoryClaim claim(MemoryCategory::kBuffers, 64);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(memory_use(MemoryCategory::kBuffers).live == before);
  mastra::reset_memory_peaks();
  CHECK(memory_use(MemoryCategory::kBuffers).peak == before);
}

TEST(every_category_has_a_name_and_the_process_has_a_size) {
  for (std::size_t at = 0; at < mastra::kMemoryCategories; ++at) {
    CHECK(std::string(mastra::memory_category_name(static_cast<MemoryCategory>(at))).size() > 2);
  }
  CHECK(mastra::process_memory().resident.value_or(0) > 100'000);
  CHECK(mastra::memory_limits().physical.value_or(0) > 100'000'000);
}

TEST_MAIN()
