#include "mastra/cache.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

using mastra::ErrorCode;
using Strings = mastra::Cache<std::shared_ptr<const std::string>>;

namespace {

Strings::Dropped gone;

bool put(Strings& cache, const std::string& key, const std::string& value, std::int64_t expires = 0, std::int64_t now = 1) {
  return cache.set(key, std::make_shared<const std::string>(value), value.size(), expires, now, false, gone);
}

std::string read(Strings& cache, const std::string& key, std::int64_t now = 1) {
  const auto found = cache.get(key, now, gone);
  return found ? **found : "-";
}

}  // namespace

TEST(reads_the_last_value_until_it_expires) {
  Strings cache({.entries = 10, .bytes = 0, .shards = 1});
  CHECK(put(cache, "a", "1", 50));
  CHECK(read(cache, "a", 49) == "1");
  CHECK(read(cache, "a", 50) == "-");
  CHECK(put(cache, "a", "2"));
  CHECK(put(cache, "a", "3"));
  CHECK(read(cache, "a") == "3");
  CHECK(cache.erase("a", gone));
  CHECK(!cache.erase("a", gone));
  CHECK(cache.stats().expirations == 1);
}

TEST(entries_bytes_and_shards_bound_the_room) {
  for (const std::size_t shards : {std::size_t{1}, std::size_t{4}}) {
    Strings cache({.entries = 100, .bytes = 20'000, .shards = shards});
    for (int i = 0; i < 5'000; ++i) {
      put(cache, std::to_string(i), std::string(static_cast<std::size_t>(i) % 300, 'x'));
      if (i % 3 == 0) read(cache, std::to_string(i / 2));
      const auto stats = cache.stats();
      if (stats.entries > 100 || stats.bytes > 20'000) CHECK(false);
    }
    CHECK(cache.stats().entries > 20);
  }
}

TEST(a_value_larger_than_the_room_replaces_nothing_by_a_stale_one) {
  Strings cache({.entries = 10, .bytes = 1'000, .shards = 1});
  CHECK(put(cache, "a", "1"));
  CHECK(!put(cache, "a", std::string(2'000, 'x')));
  CHECK(read(cache, "a") == "-");
  CHECK_THROWS(ErrorCode::kInvalidArgument, Strings({.entries = 0, .bytes = 0, .shards = 1}));
}

TEST(eight_threads_see_only_their_own_values) {
  Strings cache({.entries = 200, .bytes = 0, .shards = 4});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Strings::Dropped dropped;
      for (int i = 0; i < 20'000; ++i) {
        const std::string key = std::to_string(i % 500);
        if (i % 3 == 0) cache.set(key, std::make_shared<const std::string>(key), 8, 0, 1, i % 2 == 0, dropped);
        const auto found = cache.get(key, 1, dropped);
        if (found && **found != key) ++wrong;
        if (i % 11 == t) cache.erase(key, dropped);
        dropped.clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong.load() == 0);
}

TEST(counted_bytes_return_to_their_start) {
  gone.clear();
  const auto before = mastra::memory_use(mastra::MemoryCategory::kCache).live;
  {
    Strings cache({.entries = 100, .bytes = 0, .shards = 2});
    for (int i = 0; i < 10'000; ++i) put(cache, std::to_string(i % 777), "x");
    CHECK(mastra::memory_use(mastra::MemoryCategory::kCache).live - before == static_cast<std::int64_t>(cache.stats().bytes));
  }
  CHECK(mastra::memory_use(mastra::MemoryCategory::kCache).live == before);
}

TEST_MAIN()
