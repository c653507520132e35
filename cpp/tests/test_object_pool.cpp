#include "mastra/object_pool.hpp"

#include <atomic>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

using mastra::ErrorCode;
using mastra::ObjectPool;

namespace {

struct Scratch {
  std::atomic<int> users{0};
  std::vector<int> data;
  Scratch() = default;
  Scratch(const Scratch&) = delete;
};

// The full run is MASTRA_POOL_OPERATIONS=100000000.
std::size_t operations() {
  const char* wanted = std::getenv("MASTRA_POOL_OPERATIONS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 400'000;
}

}  // namespace

TEST(a_released_object_is_reset_and_reused) {
  ObjectPool<std::string> pool(2, [] { return std::string("new"); }, [](std::string& text) { text = "wiped"; });
  std::string* first = pool.acquire();
  CHECK(*first == "new");
  pool.release(first);
  CHECK(pool.acquire() == first);
  CHECK(*first == "wiped");
  pool.release(first);
  const auto stats = pool.stats();
  CHECK(stats.hits == 1 && stats.misses == 1 && stats.outstanding == 0 && stats.high_water == 1 && stats.capacity == 2);
}

TEST(wrong_use_is_refused) {
  ObjectPool<int> pool(2, [] { return 1; });
  int* one = pool.acquire();
  int* two = pool.acquire();
  CHECK(one != two);
  CHECK_THROWS(ErrorCode::kLimit, pool.acquire());
  pool.release(one);
  CHECK_THROWS(ErrorCode::kInvalidArgument, pool.release(one));
  int foreign = 0;
  CHECK_THROWS(ErrorCode::kInvalidArgument, pool.release(&foreign));
  CHECK_THROWS(ErrorCode::kInvalidArgument, pool.release(nullptr));
  pool.close();
  CHECK_THROWS(ErrorCode::kClosed, pool.acquire());
  pool.release(two);
  CHECK_THROWS(ErrorCode::kInvalidArgument, pool.release(two));
  CHECK_THROWS(ErrorCode::kInvalidArgument, (ObjectPool<int>(0, [] { return 1; })));
}

TEST(a_make_that_throws_costs_no_place) {
  int fails = 2;
  ObjectPool<int> pool(1, [&] {
    if (fails-- > 0) throw mastra::Error(ErrorCode::kIo, "no");
    return 7;
  });
  CHECK_THROWS(ErrorCode::kIo, pool.acquire());
  CHECK_THROWS(ErrorCode::kIo, pool.acquire());
  CHECK(*pool.acquire() == 7);
}

TEST(an_object_released_by_another_thread_is_found) {
  ObjectPool<int> pool(1, [] { return 1; });
  int* item = pool.acquire();
  std::thread([&] { pool.release(item); }).join();
  CHECK(pool.acquire() == item);
  pool.release(item);
}

TEST(eight_threads_never_share_an_object) {
  constexpr std::size_t kThreads = 8;
  ObjectPool<Scratch> pool(kThreads * 2, [] { return Scratch(); });
  std::atomic<int> clashes{0};
  std::vector<std::thread> threads;
  const std::size_t rounds = operations() / kThreads / 4;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < rounds; ++i) {
        Scratch* one = pool.acquire();
        Scratch* two = pool.acquire();
        if (one->users.fetch_add(1) != 0 || two->users.fetch_add(1) != 0) ++clashes;
        one->data.assign(1, static_cast<int>(i));
        one->users.fetch_sub(1);
        two->users.fetch_sub(1);
        pool.release(one);
        pool.release(two);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(clashes.load() == 0);
  const auto stats = pool.stats();
  CHECK(stats.outstanding == 0);
  CHECK(stats.high_water <= kThreads * 2);
  CHECK(stats.hits + stats.misses == rounds * kThreads * 2);
}

TEST(closing_while_threads_work_destroys_each_object_once) {
  static std::atomic<int> alive{0};
  struct Counted {
    Counted() { ++alive; }
    Counted(const Counted&) = delete;
    ~Counted() { --alive; }
  };
  {
    ObjectPool<Counted> pool(8, [] { return Counted(); });
    std::vector<std::thread> threads;
    std::atomic<bool> closed{false};
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        try {
          for (;;) pool.release(pool.acquire());
        } catch (const mastra::Error& error) {
          if (error.code() == ErrorCode::kClosed) closed = true;
        }
      });
    }
    std::this_thread::yield();
    pool.close();
    for (std::thread& thread : threads) thread.join();
    CHECK(closed.load());
  }
  CHECK(alive.load() == 0);
}

TEST_MAIN()
