// The graph over the rows: walks towards a query, links of new rows, repair after removals.
//
// Thread safety: walks run beside everything but a change of grid, pivots or arenas, which the index keeps
// them out of. link may run on several threads at once; repair on its own, beside walks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "columns.hpp"
#include "grid.hpp"
#include "kernels/table.hpp"
#include "scratch.hpp"

namespace mastra {

// Which rows may be answers: a bit a slot, or everything that is not removed.
struct Allowed {
  const std::uint64_t* bits = nullptr;
  std::size_t count = 0;  // bits set, of rows that are not removed

  [[nodiscard]] bool test(std::size_t slot) const noexcept {
    return bits == nullptr || ((bits[slot / 64] >> (slot % 64)) & 1U) != 0;
  }
};

class Graph {
 public:
  Graph(const kernels::KernelTable& table, Columns& columns, const Grid& grid)
      : table_(table), columns_(columns), grid_(grid), locks_(kStripes) {}

  // Walks from the pivots to the `ef` best rows for scratch.query; the answer is scratch.pool. A row marked
  // visited before (see exclude) is not met.
  void walk(Scratch& scratch, std::size_t ef, std::uint32_t exclude = kNoSlot) const;
  // The same, with the `ef` best allowed rows in scratch.found. False when `budget` distances did not suffice.
  bool walk_allowed(Scratch& scratch, std::size_t ef, const Allowed& allowed, std::size_t budget) const;

  // Links a row to its neighbours and back. `x`: the row, normalised for cosine.
  void link(std::uint32_t slot, const float* x, Scratch& scratch);
  // Relinks one live row whose neighbours may have been removed. Returns whether anything changed.
  bool repair(std::uint32_t slot, Scratch& scratch);
  // A row that no row links to is linked to from its nearest neighbour.
  void connect(Scratch& scratch);

  void set_pivots(std::vector<std::uint32_t> pivots) { pivots_ = std::move(pivots); }
  [[nodiscard]] const std::vector<std::uint32_t>& pivots() const noexcept { return pivots_; }
  void set_fine(bool fine) noexcept { fine_ = fine; }
  [[nodiscard]] bool fine() const noexcept { return fine_; }
  void set_longest(float square) noexcept { longest_ = square; }
  [[nodiscard]] float longest() const noexcept { return longest_; }

  static constexpr std::size_t kBuildWidth = 256;
  static constexpr float kAlpha = 1.1F;

 private:
  static constexpr std::size_t kStripes = 4096;

  class Lock {
   public:
    explicit Lock(std::atomic<bool>& flag) noexcept;
    ~Lock() { flag_.store(false, std::memory_order_release); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    std::atomic<bool>& flag_;
  };
  Lock lock(std::uint32_t slot) const noexcept { return Lock(locks_[slot * 2654435761U % kStripes]); }

  void enter(Scratch& scratch) const;
  void score(Scratch& scratch, const std::uint32_t* slots, std::size_t count, float* out) const;
  std::size_t unseen(Scratch& scratch, std::uint32_t slot, std::uint32_t* out) const;
  // Marks a candidate of the pool as expanded and gives the rows behind it that were not met before.
  std::size_t expand(Scratch& scratch, std::size_t at, std::uint32_t* out) const;

  // Makes `slot` the row that distances() measures from.
  void stand_on(std::uint32_t slot, FoldedQuery& query, std::vector<float>& plain) const;
  void distances(const FoldedQuery& from, const std::uint32_t* slots, std::size_t count, float* out) const;
  // Chooses up to kDegree of scratch.candidates (score = minus distance) that lie in different directions.
  std::size_t choose(Scratch& scratch, std::uint32_t* out) const;
  bool link_back(std::uint32_t from, std::uint32_t to, Scratch& scratch, const FoldedQuery& to_query, bool force);

  const kernels::KernelTable& table_;
  Columns& columns_;
  const Grid& grid_;
  mutable std::vector<std::atomic<bool>> locks_;
  std::vector<std::uint32_t> pivots_;
  float longest_ = 0.0F;  // under dot: the largest |x|^2
  bool fine_ = false;
};

}  // namespace mastra
