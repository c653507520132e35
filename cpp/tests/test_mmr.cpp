#include "mastra/mmr.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"

using mastra::ErrorCode;
using mastra::maximal_marginal_relevance;

namespace {

using Rows = std::vector<float>;
using Picks = std::vector<std::size_t>;

Picks pick(const Rows& question, const Rows& rows, std::size_t k, float balance) {
  return maximal_marginal_relevance(question.data(), rows.data(), rows.size() / question.size(), question.size(), k, balance);
}

double cosine(const float* a, const float* b, std::size_t size) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t at = 0; at < size; ++at) {
    ab += static_cast<double>(a[at]) * b[at];
    aa += static_cast<double>(a[at]) * a[at];
    bb += static_cast<double>(b[at]) * b[at];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0.0;
}

// How much worse each pick is than the best one of its step, by the definition, in double precision.
double worst_step(const Rows& question, const Rows& rows, const Picks& picks, double balance) {
  const std::size_t size = question.size();
  const auto score = [&](std::size_t row, std::size_t step) {
    double nearest = step == 0 ? 0.0 : -2.0;
    for (std::size_t at = 0; at < step; ++at) nearest = std::max(nearest, cosine(&rows[row * size], &rows[picks[at] * size], size));
    return balance * cosine(&rows[row * size], question.data(), size) - (1 - balance) * nearest;
  };
  double worst = 0;
  for (std::size_t step = 0; step < picks.size(); ++step) {
    double best = -4;
    for (std::size_t row = 0; row < rows.size() / size; ++row) {
      if (std::find(picks.begin(), picks.begin() + static_cast<std::ptrdiff_t>(step), row) == picks.begin() + static_cast<std::ptrdiff_t>(step)) {
        best = std::max(best, score(row, step));
      }
    }
    worst = std::max(worst, best - score(picks[step], step));
  }
  return worst;
}

}  // namespace

TEST(relevance_alone_is_a_ranking_and_balance_brings_in_what_is_unlike) {
  const Rows question = {1, 0.4F};
  const Rows rows = {1, 0.1F, 1, 0.11F, 0.2F, 1, -1, 0};  // two that say the same, one aside, one opposite
  CHECK((pick(question, rows, 4, 1.0F) == Picks{1, 0, 2, 3}));
  CHECK((pick(question, rows, 2, 0.5F) == Picks{1, 2}));
  CHECK((pick(question, rows, 2, 0.0F) == Picks{0, 3}));
}

TEST(each_step_takes_the_best_by_the_definition) {
  std::mt19937 chance(11);
  std::normal_distribution<float> normal;
  for (const std::size_t size : {1, 3, 8, 17, 96}) {
    for (const float balance : {0.0F, 0.3F, 0.5F, 1.0F}) {
      Rows question(size);
      Rows rows(size * 60);
      for (float& each : question) each = normal(chance);
      for (float& each : rows) each = normal(chance);
      const Picks picks = pick(question, rows, 20, balance);
      CHECK(picks.size() == 20);
      CHECK(worst_step(question, rows, picks, balance) < 1e-5);
    }
  }
}

TEST(the_length_of_a_row_does_not_matter_and_equals_come_in_their_order) {
  CHECK((pick({1, 0}, {5, 0, 0.01F, 0, 300, 0}, 3, 0.5F) == Picks{0, 1, 2}));
  CHECK((pick({1, 0}, {0, 0, 1, 0}, 2, 0.5F) == Picks{1, 0}));  // zeros are like nothing
  CHECK((pick({0, 0}, {0, 1, 1, 0}, 1, 1.0F) == Picks{0}));
}

TEST(few_rows_none_and_wrong_numbers) {
  CHECK((pick({1, 0}, {0, 1}, 9, 0.5F) == Picks{0}));
  CHECK(pick({1, 0}, {}, 3, 0.5F).empty());
  CHECK(pick({1, 0}, {0, 1}, 0, 0.5F).empty());
  const float none = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS(ErrorCode::kInvalidArgument, pick({1, 0}, {0, 1}, 1, 1.5F));
  CHECK_THROWS(ErrorCode::kInvalidArgument, pick({1, 0}, {0, 1}, 1, none));
  CHECK_THROWS(ErrorCode::kInvalidArgument, pick({1, none}, {0, 1}, 1, 0.5F));
  CHECK_THROWS(ErrorCode::kInvalidArgument, pick({1, 0}, {0, std::numeric_limits<float>::infinity()}, 1, 0.5F));
  CHECK_THROWS(ErrorCode::kInvalidArgument, maximal_marginal_relevance(nullptr, nullptr, 0, 0, 1, 0.5F));
}

TEST_MAIN()
