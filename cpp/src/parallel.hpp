// Fork and join: splits [0, count) among threads, and rethrows the first exception in the caller.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace mastra {

// Calls work(thread, begin, end) for pieces of at most `grain`; every index exactly once unless it throws.
template <class Work>
void parallel_for(std::size_t threads, std::size_t count, std::size_t grain, Work work) {
  const std::size_t pieces = grain == 0 ? 1 : (count + grain - 1) / grain;
  threads = std::max<std::size_t>(1, std::min(threads, pieces));
  if (threads == 1) {
    for (std::size_t at = 0; at < count; at += grain) work(std::size_t{0}, at, std::min(count, at + grain));
    return;
  }
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_lock;
  const auto run = [&](std::size_t thread) {
    try {
      for (std::size_t piece = next++; piece < pieces; piece = next++) {
        work(thread, piece * grain, std::min(count, (piece + 1) * grain));
      }
    } catch (...) {
      const std::lock_guard<std::mutex> hold(failure_lock);
      if (!failure) failure = std::current_exception();
      next = pieces;
    }
  };
  std::vector<std::thread> workers;
  workers.reserve(threads - 1);
  try {
    for (std::size_t t = 1; t < threads; ++t) workers.emplace_back(run, t);
  } catch (const std::exception&) {
    // The system gives no more threads: those there, and this one, do the work.
  }
  run(0);
  for (std::thread& worker : workers) worker.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace mastra
