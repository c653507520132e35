// The object pool beside what a lock costs: acquire and release on several threads, nanoseconds for a pair.
//
// Run: bench_object_pool [threads] [pairs for each thread]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

#include "mastra/object_pool.hpp"

namespace {

struct Scratch {
  std::vector<int> data;
};

// What one would write without the pool: a container of free objects under a mutex.
template <class Container>
class Locked {
 public:
  explicit Locked(std::size_t capacity) : all_(capacity) {
    for (Scratch& each : all_) free_.push_back(&each);
  }
  Scratch* acquire() {
    const std::lock_guard<std::mutex> hold(lock_);
    Scratch* out = free_.back();
    free_.pop_back();
    return out;
  }
  void release(Scratch* item) {
    const std::lock_guard<std::mutex> hold(lock_);
    free_.push_back(item);
  }

 private:
  std::mutex lock_;
  std::vector<Scratch> all_;
  Container free_;
};

template <class Pool>
double nanoseconds(Pool& pool, std::size_t threads, std::size_t pairs) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> workers;
  for (std::size_t t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      for (std::size_t i = 0; i < pairs; ++i) {
        Scratch* item = pool.acquire();
        item->data.clear();
        pool.release(item);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return took.count() / static_cast<double>(pairs * threads);
}

}  // namespace

int main(int count, char** arguments) {
  const std::size_t threads = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 8;
  const std::size_t pairs = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1'000'000;
  double best[3] = {1e30, 1e30, 1e30};
  for (int round = 0; round < 3; ++round) {
    mastra::ObjectPool<Scratch> ours(threads * 2, [] { return Scratch{}; });
    Locked<std::vector<Scratch*>> in_vector(threads * 2);
    Locked<std::deque<Scratch*>> in_deque(threads * 2);
    const double took[3] = {nanoseconds(ours, threads, pairs), nanoseconds(in_vector, threads, pairs), nanoseconds(in_deque, threads, pairs)};
    for (int i = 0; i < 3; ++i) best[i] = took[i] < best[i] ? took[i] : best[i];
  }
  std::printf("%zu threads: ObjectPool %.1f ns, vector under a mutex %.1f (%.1fx), deque under a mutex %.1f (%.1fx)\n", threads, best[0], best[1],
              best[1] / best[0], best[2], best[2] / best[0]);
}
