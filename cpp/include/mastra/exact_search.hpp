// The k best rows of a matrix, by looking at every row.
//
// Purpose: the exact answer in f32: the reference of the index, and the quicker way for small sets.
// Ownership: borrows its inputs for the call. Thread safety: a pure function.
// A row whose score is not a number is never an answer; when fewer than min(k, rows) are left, it throws.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mastra/metric.hpp"

namespace mastra {

// Rows of `dim` floats that lie `stride` floats apart.
struct MatrixView {
  const float* data = nullptr;
  std::size_t rows = 0;
  std::size_t dim = 0;
  std::size_t stride = 0;
};

// Writes min(k, base.rows) row numbers and scores a query, best first, into ids and scores.
// Throws Error: kDimensionMismatch when the widths differ, kInvalidArgument for a query that is not finite,
// k = 0, more than 2^32 - 1 rows or too few rows with a number for a score.
void exact_search(Metric metric, const MatrixView& base, const MatrixView& queries, std::size_t k,
                  std::size_t threads, std::uint64_t* ids, float* scores);

}  // namespace mastra
