// The best k of a stream of scored rows: larger scores first, then smaller rows. Deterministic.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace mastra {

struct Scored {
  float score;
  std::uint32_t row;
};

inline bool better(const Scored& a, const Scored& b) noexcept {
  return a.score > b.score || (a.score == b.score && a.row < b.row);
}

class TopK {
 public:
  explicit TopK(std::size_t k = 0) { reset(k); }
  void reset(std::size_t k) {
    k_ = k;
    heap_.clear();
    heap_.reserve(k);
  }
  // Scores below this cannot enter; a score that is not a number never does.
  [[nodiscard]] float bar() const noexcept {
    return heap_.size() < k_ ? -std::numeric_limits<float>::infinity() : heap_.front().score;
  }
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  [[nodiscard]] bool full() const noexcept { return heap_.size() == k_; }
  // The largest score; minus infinity when there is none.
  [[nodiscard]] float best() const noexcept {
    float out = -std::numeric_limits<float>::infinity();
    for (const Scored& item : heap_) out = std::max(out, item.score);
    return out;
  }
  void push(float score, std::uint32_t row) {
    if (!(score >= bar())) return;
    const Scored item{score, row};
    if (heap_.size() < k_) {
      heap_.push_back(item);
      std::push_heap(heap_.begin(), heap_.end(), better);
    } else if (k_ > 0 && better(item, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.back() = item;
      std::push_heap(heap_.begin(), heap_.end(), better);
    }
  }
  // Best first; the heap is used up.
  std::vector<Scored>& sorted() {
    std::sort(heap_.begin(), heap_.end(), better);
    return heap_;
  }

 private:
  std::size_t k_ = 0;
  std::vector<Scored> heap_;
};

}  // namespace mastra
