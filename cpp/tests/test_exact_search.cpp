#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "mastra/distance.hpp"
#include "mastra/exact_search.hpp"

using namespace mastra;

namespace {

std::vector<float> normal_rows(std::size_t n, std::size_t dim, unsigned seed) {
  std::mt19937 source(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(n * dim);
  for (float& x : out) x = normal(source);
  return out;
}

}  // namespace

TEST(finds_what_sorting_every_distance_finds) {
  for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kL2}) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{4}, std::size_t{5}, std::size_t{70}}) {
      for (const std::size_t threads : {std::size_t{1}, std::size_t{3}}) {
        const std::size_t n = 533, dim = 37, k = 9;
        const std::vector<float> base = normal_rows(n, dim, 1), queries = normal_rows(count, dim, 2);
        std::vector<std::uint64_t> ids(count * k);
        std::vector<float> scores(count * k);
        exact_search(metric, {base.data(), n, dim, dim}, {queries.data(), count, dim, dim}, k, threads, ids.data(),
                     scores.data());
        for (std::size_t q = 0; q < count; ++q) {
          std::size_t ahead = 0;
          const float last = scores[q * k + k - 1];
          for (std::size_t r = 0; r < n; ++r) {
            const float d = distance(metric, Element::kF32, queries.data() + q * dim, base.data() + r * dim, dim);
            if (metric == Metric::kL2 ? d < last - 1e-4F : d > last + 1e-5F) ++ahead;
          }
          CHECK(ahead <= k - 1);
          for (std::size_t i = 0; i < k; ++i) {
            const float d = distance(metric, Element::kF32, queries.data() + q * dim,
                                     base.data() + ids[q * k + i] * dim, dim);
            CHECK(std::fabs(d - scores[q * k + i]) < 1e-3F);
            if (i > 0) CHECK(metric == Metric::kL2 ? scores[q * k + i] >= scores[q * k + i - 1]
                                                   : scores[q * k + i] <= scores[q * k + i - 1]);
          }
        }
      }
    }
  }
}

TEST(gives_every_row_when_k_is_larger) {
  const std::vector<float> base = normal_rows(3, 4, 1);
  std::uint64_t ids[3];
  float scores[3];
  exact_search(Metric::kDot, {base.data(), 3, 4, 4}, {base.data(), 1, 4, 4}, 1000, 2, ids, scores);
  CHECK(ids[0] + ids[1] + ids[2] == 3);
}

TEST(refuses_what_it_cannot_answer) {
  const std::vector<float> base = normal_rows(8, 4, 1);
  std::vector<float> bad(4, std::numeric_limits<float>::quiet_NaN());
  std::uint64_t ids[8];
  float scores[8];
  const MatrixView rows{base.data(), 8, 4, 4};
  CHECK_THROWS(ErrorCode::kInvalidArgument,
               (exact_search(Metric::kDot, rows, {bad.data(), 1, 4, 4}, 2, 1, ids, scores), 0));
  CHECK_THROWS(ErrorCode::kDimensionMismatch,
               (exact_search(Metric::kDot, rows, {base.data(), 1, 3, 3}, 2, 1, ids, scores), 0));
  CHECK_THROWS(ErrorCode::kInvalidArgument,
               (exact_search(Metric::kDot, rows, {base.data(), 1, 4, 4}, 0, 1, ids, scores), 0));
  CHECK_THROWS(ErrorCode::kInvalidArgument,
               (exact_search(Metric::kDot, {bad.data(), 1, 4, 4}, {base.data(), 1, 4, 4}, 1, 1, ids, scores), 0));
}

TEST(the_zero_vector_has_no_direction) {
  const float base[] = {0, 0, 1, 0};
  const float query[] = {1, 0};
  std::uint64_t ids[2];
  float scores[2];
  exact_search(Metric::kCosine, {base, 2, 2, 2}, {query, 1, 2, 2}, 2, 1, ids, scores);
  CHECK(ids[0] == 1 && scores[0] == 1.0F && ids[1] == 0 && scores[1] == 0.0F);
}

TEST_MAIN()
