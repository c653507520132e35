// What one search needs for itself, used again by the next one on any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "grid.hpp"
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
    std::size_t low = 0, high = size_;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (items_[middle].score >= score) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (size_ < capacity_) ++size_;
    std::memmove(&items_[low + 1], &items_[low], (size_ - 1 - low) * sizeof(Scored));
    items_[low] = {score, slot};
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
    } else if (touched_.size() > bits_.size() / 4) {
      std::memset(bits_.data(), 0, bits_.size() * sizeof(std::uint64_t));
    } else {
      for (const std::uint32_t slot : touched_) bits_[slot / 64] = 0;
    }
    touched_.clear();
  }
  bool first(std::uint32_t slot) {
    std::uint64_t& word = bits_[slot / 64];
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    if ((word & bit) != 0) return false;
    word |= bit;
    touched_.push_back(slot);
    return true;
  }

 private:
  std::vector<std::uint64_t> bits_;
  std::vector<std::uint32_t> touched_;
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

class ScratchPool {
 public:
  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : pool_(&pool), scratch_(pool.take()) {}
    ~Lease() { pool_->give(std::move(scratch_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Scratch& operator*() const noexcept { return *scratch_; }

   private:
    ScratchPool* pool_;
    std::unique_ptr<Scratch> scratch_;
  };

 private:
  std::unique_ptr<Scratch> take() {
    {
      const std::lock_guard<std::mutex> hold(lock_);
      if (!idle_.empty()) {
        std::unique_ptr<Scratch> out = std::move(idle_.back());
        idle_.pop_back();
        return out;
      }
    }
    return std::make_unique<Scratch>();
  }
  void give(std::unique_ptr<Scratch> scratch) noexcept {
    const std::lock_guard<std::mutex> hold(lock_);
    if (idle_.size() < kKept) {
      if (idle_.capacity() == 0) idle_.reserve(kKept);
      idle_.push_back(std::move(scratch));
    }
  }

  static constexpr std::size_t kKept = 64;
  std::mutex lock_;
  std::vector<std::unique_ptr<Scratch>> idle_;
};

}  // namespace mastra
