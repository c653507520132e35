// What one search needs for itself, used again by the next one on any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "grid.hpp"
#include "mastra/object_pool.hpp"
#include "top_k.hpp"

namespace mastra {

// The candidates of a walk, best first, each with a mark once it has been expanded.
class Pool {
 public:
  static constexpr std::uint32_t kExpanded = 0x80000000U;

  void reset(std::size_t capacity) {
    if (items_.size() < capacity + 1) items_.resize(capacity + 1);
    capacity_ = capacity;
    size_ = next_ = 0;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint32_t slot(std::size_t i) const noexcept { return items_[i].row & ~kExpanded; }
  [[nodiscard]] float score(std::size_t i) const noexcept { return items_[i].score; }
  [[nodiscard]] bool takes(float score) const noexcept {
    return size_ < capacity_ || score > items_[size_ - 1].score;
  }
  void insert(float score, std::uint32_t slot) noexcept {
    if (!takes(score)) return;
    Scored* const items = items_.data();
    std::size_t low = 0;  // how many come before it; halved without a branch, for none could be foretold
    for (std::size_t left = size_; left > 0;) {
      const std::size_t half = (left + 1) / 2;
      low += items[low + half - 1].score >= score ? half : 0;
      left -= half;
    }
    if (size_ < capacity_) ++size_;
    std::memmove(items + low + 1, items + low, (size_ - 1 - low) * sizeof(Scored));
    items[low] = {score, slot};
    next_ = std::min(next_, low);
  }
  // The best candidate not yet expanded, or size().
  std::size_t next() noexcept {
    while (next_ < size_ && (items_[next_].row & kExpanded) != 0) ++next_;
    return next_;
  }
  void expand(std::size_t i) noexcept { items_[i].row |= kExpanded; }

 private:
  std::vector<Scored> items_;
  std::size_t capacity_ = 0, size_ = 0, next_ = 0;
};

// Which slots a walk has seen; cleared by undoing, so that a walk over few rows of many is cheap.
class Visited {
 public:
  void reset(std::size_t slots) {
    const std::size_t words = (slots + 63) / 64;
    if (bits_.size() < words) {
      bits_.assign(words + words / 4, 0);
    } else if (count_ > bits_.size() / 4) {
      std::memset(bits_.data(), 0, bits_.size() * sizeof(std::uint64_t));
    } else {
      for (std::size_t i = 0; i < count_; ++i) bits_[touched_[i] / 64] = 0;
    }
    count_ = 0;
  }
  // Room for so many more calls of first.
  void reserve(std::size_t more) {
    if (touched_.size() < count_ + more) touched_.resize(2 * (count_ + more));
  }
  // 1 the first time, else 0: no branch, for half of a row's links have been seen and none could be foretold.
  std::size_t first(std::uint32_t slot) noexcept {
    std::uint64_t& word = bits_[slot / 64];
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    const auto fresh = static_cast<std::size_t>((word & bit) == 0);
    word |= bit;
    touched_[count_] = slot;
    count_ += fresh;
    return fresh;
  }

 private:
  std::vector<std::uint64_t> bits_;
  std::vector<std::uint32_t> touched_;
  std::size_t count_ = 0;
};

struct Scratch {
  FoldedQuery query;
  FoldedQuery other;  // a second query, for distances between rows
  Visited visited;
  Pool pool;
  TopK found;
  TopK refined;
  std::vector<float> plain;  // a normalised or decoded row
  std::vector<float> scores;
  std::vector<Scored> candidates;
  std::vector<std::uint32_t> slots;
  std::size_t distances = 0;
};

// Scratch of searches that are over waits for the next ones. More searches at once than the pool has places
// work on scratch of their own.
class ScratchPool {
 public:
  class Lease : public PoolLease<Scratch> {
   public:
    explicit Lease(ScratchPool& pool) : PoolLease(pool.pool_) {}
  };

 private:
  ObjectPool<Scratch> pool_{64, [] { return Scratch(); }};
};

}  // namespace mastra
