#include "mastra/mmr.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mastra/error.hpp"

namespace mastra {
namespace {

float dot(const float* a, const float* b, std::size_t size) noexcept {
  float sums[8] = {};
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += a[at + lane] * b[at + lane];
  }
  float sum = 0;
  for (const float each : sums) sum += each;
  for (; at < size; ++at) sum += a[at] * b[at];
  return sum;
}

float inverse_length(const float* vector, std::size_t size) {
  const float square = dot(vector, vector, size);
  if (!std::isfinite(square)) throw Error(ErrorCode::kInvalidArgument, "a vector holds a number that is too large or none");
  return square > 0 ? 1.0F / std::sqrt(square) : 0.0F;
}

}  // namespace

std::vector<std::size_t> maximal_marginal_relevance(const float* question, const float* vectors, std::size_t count,
                                                    std::size_t size, std::size_t k, float balance) {
  if (!(balance >= 0 && balance <= 1)) throw Error(ErrorCode::kInvalidArgument, "balance must lie in 0..1");
  if (size == 0) throw Error(ErrorCode::kInvalidArgument, "a vector has at least one number");
  const float asked = inverse_length(question, size);
  std::vector<float> scale(count);
  std::vector<float> relevance(count);
  std::vector<float> nearest(count, -std::numeric_limits<float>::infinity());
  std::vector<bool> taken(count);
  for (std::size_t row = 0; row < count; ++row) {
    scale[row] = inverse_length(vectors + row * size, size);
    relevance[row] = dot(question, vectors + row * size, size) * scale[row] * asked;
  }
  std::vector<std::size_t> picked;
  k = std::min(k, count);
  picked.reserve(k);
  while (picked.size() < k) {
    std::size_t best = count;
    float best_score = 0;
    for (std::size_t row = 0; row < count; ++row) {
      if (taken[row]) continue;
      if (!picked.empty()) {
        const std::size_t last = picked.back();
        const float near = dot(vectors + last * size, vectors + row * size, size) * scale[row] * scale[last];
        nearest[row] = std::max(nearest[row], near);
      }
      const float score = balance * relevance[row] - (picked.empty() ? 0.0F : (1 - balance) * nearest[row]);
      if (best == count || score > best_score) {
        best = row;
        best_score = score;
      }
    }
    taken[best] = true;
    picked.push_back(best);
  }
  return picked;
}

}  // namespace mastra
