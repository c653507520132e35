// The rows of an index, column by column, and what a score costs to compute from them.
//
// Thread safety: rows below count() and their columns may be read by any thread. Links and the marks of
// removed rows are atomic; everything else of a row is written before the row is counted or linked.
#pragma once

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "arena.hpp"
#include "atomics.hpp"
#include "grid.hpp"
#include "mastra/metric.hpp"
#include "mastra/vector_index.hpp"

namespace mastra {

constexpr std::size_t kDegree = 32;
constexpr std::uint32_t kNoSlot = 0xffffffffU;

inline std::uint32_t load_link(const std::uint32_t* at) noexcept { return load_acquire(at); }
inline void store_link(std::uint32_t* at, std::uint32_t slot) noexcept {
  store_release(at, slot);
}

struct Columns {
  Columns(std::size_t dim, Metric metric_, Storage storage_);
  Columns(const Columns&) = delete;
  Columns& operator=(const Columns&) = delete;
  Columns& operator=(Columns&& other) noexcept;
  ~Columns() = default;

  Metric metric;
  Storage storage;
  Residual residual_kind;
  std::size_t raw_width;  // floats (or halves) of a raw row
  Arena codes, residuals, scales, extra, norms, ids, links, raw, dead;
  std::atomic<std::size_t> rows{0};

  void grow(std::size_t wanted);
  [[nodiscard]] std::size_t count() const noexcept { return rows.load(std::memory_order_acquire); }

  // scale: of the residual. extra: cosine |x|; dot and l2 |x|^2 of the stored (l2: centred) row.
  [[nodiscard]] float& scale(std::size_t slot) const noexcept { return scales.as<float>()[slot]; }
  [[nodiscard]] float& fact(std::size_t slot) const noexcept { return extra.as<float>()[slot]; }
  [[nodiscard]] float& norm(std::size_t slot) const noexcept { return norms.as<float>()[slot]; }
  [[nodiscard]] std::uint64_t& id(std::size_t slot) const noexcept { return ids.as<std::uint64_t>()[slot]; }
  [[nodiscard]] std::uint32_t* row_links(std::size_t slot) const noexcept {
    return links.as<std::uint32_t>() + slot * kDegree;
  }
  [[nodiscard]] bool is_dead(std::size_t slot) const noexcept {
    return ((load_relaxed(dead.as<std::uint64_t>() + slot / 64) >> (slot % 64)) & 1U) != 0;
  }
  void mark_dead(std::size_t slot, bool is) const noexcept {
    std::uint64_t* word = dead.as<std::uint64_t>() + slot / 64;
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    if (is) {
      set_bits(word, bit);
    } else {
      clear_bits(word, bit);
    }
  }
  [[nodiscard]] bool has_raw() const noexcept { return raw.row_bytes() != 0; }

  // Writes a row into its slot: code, residual or raw vector, and what scores need. `x` is the caller's row.
  // Returns the reach that Grid::encode tells.
  float write(const kernels::KernelTable& table, const Grid& grid, std::size_t slot, const float* x) const;
  // The same for what a grid decides alone: code, residual and the numbers beside them. `x`: as read() gives it.
  float encode(const kernels::KernelTable& table, const Grid& grid, std::size_t slot, const float* x) const;
  // The row as it is stored, normalised for cosine.
  void read(const kernels::KernelTable& table, const Grid& grid, std::size_t slot, float* out) const;
  // The row as the caller gave it, as near as it is stored.
  void original(const kernels::KernelTable& table, const Grid& grid, std::size_t slot, float* out) const;
  void clear_links(std::size_t slot) const noexcept {
    for (std::size_t i = 0; i < kDegree; ++i) store_link(row_links(slot) + i, kNoSlot);
  }
};

// |x|^2, in double where float would lose it to underflow; infinite or NaN when x cannot be stored.
double square_of(const kernels::KernelTable& table, const float* x, std::size_t dim);

// Under dot, rows get one more coordinate so that all are equally long; then nearest is largest product.
inline float lift_of(float limit, float square) noexcept { return square < limit ? std::sqrt(limit - square) : 0.0F; }

// Scores of rows for one query: larger is better; l2 gives 2 x.y - |y|^2.
class Scorer {
 public:
  Scorer(const kernels::KernelTable& table, const Columns& columns, const Grid& grid) noexcept
      : table_(&table), columns_(&columns), blocks_(grid.blocks()) {}

  // From 4-bit codes. out has room for count rounded up to 4.
  void coarse(const FoldedQuery& query, const std::uint32_t* slots, std::size_t count, float* out) const noexcept {
    std::int32_t sums[kBatch];
    for (std::size_t at = 0; at < count; at += kBatch) {
      const std::size_t n = count - at < kBatch ? count - at : kBatch;
      table_->score_u4(query.hi.data(), columns_->codes.data(), blocks_, slots + at, n, sums);
      finish(query, sums, n, out + at, [=](std::size_t i) { return slots[at + i]; });
    }
  }
  void coarse_run(const FoldedQuery& query, std::size_t first, std::size_t count, float* out) const noexcept {
    std::int32_t sums[kBatch];
    for (std::size_t at = 0; at < count; at += kBatch) {
      const std::size_t n = count - at < kBatch ? count - at : kBatch;
      table_->scan_u4(query.hi.data(), columns_->codes.row(first + at), blocks_, n, sums);
      finish(query, sums, n, out + at, [=](std::size_t i) { return first + at + i; });
    }
  }
  // From everything that is stored of the row. `x`: the query as the caller gave it, normalised for cosine.
  [[nodiscard]] float fine(const FoldedQuery& query, std::size_t slot) const noexcept;
  void prefetch_fine(std::size_t slot) const noexcept;

  static constexpr std::size_t kBatch = 64;

 private:
  template <class Slot>
  void finish(const FoldedQuery& query, const std::int32_t* sums, std::size_t n, float* out,
              Slot slot) const noexcept {
    if (columns_->metric == Metric::kL2) {
      for (std::size_t i = 0; i < n; ++i) {
        out[i] = 2.0F * (query.offset + query.coarse * static_cast<float>(sums[i])) - columns_->norm(slot(i));
      }
    } else {
      for (std::size_t i = 0; i < n; ++i) out[i] = query.offset + query.coarse * static_cast<float>(sums[i]);
      if (query.lift > 0.0F) {
        for (std::size_t i = 0; i < n; ++i) out[i] += query.lift * lift_of(query.lift_limit, columns_->fact(slot(i)));
      }
    }
  }

  const kernels::KernelTable* table_;
  const Columns* columns_;
  std::size_t blocks_;
};

}  // namespace mastra
