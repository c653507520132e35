// What the memory counters cost while an index is built: bench/memory_overhead.sh counts its instructions.
//
// Run: bench_memory [vectors] [batches]
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "mastra/memory.hpp"
#include "mastra/vector_index.hpp"

int main(int count, char** arguments) {
  constexpr std::size_t kSize = 64;
  const std::size_t rows = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 4'000;
  const std::size_t batches = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 40;
  std::mt19937 chance(7);
  std::normal_distribution<float> normal;
  std::vector<float> vectors(rows * kSize);
  for (float& each : vectors) each = normal(chance);
  mastra::IndexOptions options;
  options.dim = kSize;
  mastra::VectorIndex index(options);
  const std::size_t each = rows / batches;
  for (std::size_t at = 0; at + each <= rows; at += each) index.add({vectors.data() + at * kSize, each, kSize, kSize}, nullptr, false, 1);
  std::uint64_t counted = 0;
  for (std::size_t at = 0; at < mastra::kMemoryCategories; ++at) counted += mastra::memory_use(static_cast<mastra::MemoryCategory>(at)).allocations;
  std::printf("%zu rows, %llu allocations counted\n", index.size(), static_cast<unsigned long long>(counted));
}
