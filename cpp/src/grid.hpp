// The code of a vector: 4 bits a dimension on a grid fitted to the data, and a residual with its own scale.
//
// Dimension j of a row is centre[j] + step[j] * (code - 7.5 + scale * residual). A query is folded with
// the steps once, so that every score is an integer dot product. Thread safety: const after fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "aligned.hpp"
#include "kernels/table.hpp"
#include "mastra/metric.hpp"

namespace mastra {

enum class Residual : unsigned char { kNone = 0, kFour = 4, kEight = 8 };

// A query folded with the grid. `x` is what was folded: normalised for cosine, centred for l2.
struct FoldedQuery {
  Aligned<float> x;
  Aligned<std::int8_t> hi;
  Aligned<std::int8_t> lo;
  std::int32_t hi_sum = 0;
  std::int32_t lo_sum = 0;
  float offset = 0.0F;  // dot product = offset + coarse * (hi . code)
  float coarse = 0.0F;
  float fine = 0.0F;    // ... = offset + fine * (query . code + scale * query . residual)
  float square = 0.0F;  // |x|^2
  const float* plain = nullptr;  // the query as it was given, normalised for cosine; borrowed
  float plain_square = 0.0F;
  float lift = 0.0F;        // links under dot: the coordinate that makes all rows equally long, and
  float lift_limit = 0.0F;  // the square of that length

  [[nodiscard]] kernels::SplitQuery split() const noexcept { return {hi.data(), lo.data(), hi_sum, lo_sum}; }
};

class Grid {
 public:
  Grid() = default;
  Grid(std::size_t dim, Metric metric);

  // Fits centre and step to rows, which are normalised for cosine.
  void fit(const float* rows, std::size_t count, std::size_t stride);
  // Takes a stored grid; false when a number is not finite or a step is negative.
  bool restore(const float* centre, const float* step);

  struct Encoded {
    float reach;  // the largest distance from the code, in steps: 0.5 on the grid, more for a row beyond it
    float scale;  // of the residual
  };
  // x: the caller's row, normalised for cosine.
  Encoded encode(const float* x, Residual kind, std::uint8_t* code, std::uint8_t* residual) const;
  // The row of a code; `kind` is not kNone.
  void decode(const kernels::KernelTable& table, const std::uint8_t* code, const std::uint8_t* residual, Residual kind,
              float scale, float* x) const;
  // |x'|^2 of the 4-bit code around the centre.
  [[nodiscard]] float code_norm(const std::uint8_t* code) const noexcept;
  // What l2 works on: x - centre.
  void shift(const float* x, float* out) const noexcept;

  void fold(const kernels::KernelTable& table, const float* x, FoldedQuery& out) const;
  // A stored code as a query around the centre: dot product = returned + expand_scale() * (query . code).
  float expand(const kernels::KernelTable& table, const std::uint8_t* code, std::int8_t* query) const {
    return table.expand_u4(code, base_.data(), slope_.data(), weight_.data(), blocks_, query) + constant_;
  }
  [[nodiscard]] float expand_scale() const noexcept { return expand_scale_; }

  [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
  [[nodiscard]] std::size_t blocks() const noexcept { return blocks_; }
  [[nodiscard]] std::size_t padded() const noexcept { return blocks_ * 128; }
  [[nodiscard]] const float* centre() const noexcept { return centre_.data(); }
  [[nodiscard]] const float* step() const noexcept { return step_.data(); }

 private:
  void derive();
  void put_means_on_levels(const std::vector<float>& means, const float* rows, std::size_t count, std::size_t stride);
  [[nodiscard]] float four_bit_scale(const std::vector<float>& rest, float reach) const;
  void straighten(const float* x, const std::vector<float>& rest, float scale, float top,
                  std::vector<float>& levels) const;

  std::size_t dim_ = 0;
  std::size_t blocks_ = 0;
  Metric metric_ = Metric::kCosine;
  Aligned<float> centre_, step_, inverse_, base_, slope_, weight_;
  float constant_ = 0.0F;
  float expand_scale_ = 1.0F;
};

}  // namespace mastra
