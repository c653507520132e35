#include <algorithm>
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

namespace {

// The rows of least squared distance, scored as `distance` scores a pair.
void check_l2(const std::vector<float>& base, const std::vector<float>& queries, std::size_t dim, std::size_t k) {
  const std::size_t n = base.size() / dim, count = queries.size() / dim;
  std::vector<std::uint64_t> ids(count * k);
  std::vector<float> scores(count * k);
  exact_search(Metric::kL2, {base.data(), n, dim, dim}, {queries.data(), count, dim, dim}, k, 1, ids.data(),
               scores.data());
  for (std::size_t q = 0; q < count; ++q) {
    std::vector<double> all(n);
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t j = 0; j < dim; ++j) {
        const double d = static_cast<double>(queries[q * dim + j]) - base[r * dim + j];
        all[r] += d * d;
      }
    }
    std::vector<double> sorted = all;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < k; ++i) {
      const double rounding = 1e-5 * sorted[i] + 2e-45 * static_cast<double>(dim);
      CHECK(std::fabs(all[ids[q * k + i]] - sorted[i]) <= rounding);
      CHECK(std::fabs(scores[q * k + i] - all[ids[q * k + i]]) <= rounding);
    }
  }
}

}  // namespace

TEST(a_batch_of_distances_is_exact_where_products_are_not) {
  for (const std::size_t dim : {std::size_t{1}, std::size_t{3}, std::size_t{64}, std::size_t{387}}) {
    std::vector<float> base = normal_rows(1200, dim, 3), queries = normal_rows(40, dim, 4);
    for (const float scale : {1.0F, 1e-22F, 1e15F, 1e17F}) {
      std::vector<float> rows = base, asked = queries;
      for (float& x : rows) x *= scale;
      for (float& x : asked) x *= scale;
      check_l2(rows, asked, dim, 7);
    }
    for (const float away : {100.0F, 30000.0F}) {  // the norms swallow the distances
      std::vector<float> rows = base, asked = queries;
      for (float& x : rows) x += away;
      for (float& x : asked) x += away;
      check_l2(rows, asked, dim, 7);
      rows.insert(rows.end(), base.begin(), base.end());  // and rows of both kinds
      check_l2(rows, asked, dim, 7);
      check_l2(rows, queries, dim, 7);
    }
    std::vector<float> twice = base;  // every row there twice: ties
    twice.insert(twice.end(), base.begin(), base.end());
    check_l2(twice, base, dim, 2);
  }
}

TEST(a_row_that_is_no_number_hides_no_other) {
  std::vector<float> base = normal_rows(600, 16, 5), queries = normal_rows(20, 16, 6);
  base[7 * 16] = std::numeric_limits<float>::quiet_NaN();
  base[9 * 16 + 3] = std::numeric_limits<float>::infinity();
  std::vector<std::uint64_t> ids(20 * 5);
  std::vector<float> scores(20 * 5);
  exact_search(Metric::kL2, {base.data(), 600, 16, 16}, {queries.data(), 20, 16, 16}, 5, 1, ids.data(), scores.data());
  for (std::size_t q = 0; q < 20; ++q) {
    std::vector<float> all;
    for (std::size_t r = 0; r < 600; ++r) {
      const float d = distance(Metric::kL2, Element::kF32, queries.data() + q * 16, base.data() + r * 16, 16);
      if (std::isfinite(d)) all.push_back(d);
    }
    std::sort(all.begin(), all.end());
    for (std::size_t i = 0; i < 5; ++i) CHECK(std::fabs(scores[q * 5 + i] - all[i]) <= 1e-5F * all[i]);
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
