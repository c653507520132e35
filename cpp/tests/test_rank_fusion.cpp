#include "mastra/rank_fusion.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.hpp"

using mastra::ErrorCode;
using mastra::fuse_ranks;
using mastra::FusedItem;

namespace {

std::vector<std::uint32_t> items_of(const std::vector<FusedItem>& fused) {
  std::vector<std::uint32_t> out;
  for (const FusedItem& each : fused) out.push_back(each.item);
  return out;
}

bool near(double a, double b) { return std::abs(a - b) < 1e-15; }

using Items = std::vector<std::uint32_t>;

}  // namespace

TEST(each_ranking_gives_the_reciprocal_of_the_rank) {
  const auto fused = fuse_ranks({{0, 1, 2}, {2, 0}}, {1, 1}, 60, 3);
  CHECK((items_of(fused) == Items{0, 2, 1}));
  CHECK(near(fused[0].score, 1.0 / 61 + 1.0 / 62));
  CHECK(near(fused[1].score, 1.0 / 63 + 1.0 / 61));
  CHECK(near(fused[2].score, 1.0 / 62));
}

TEST(an_item_that_comes_twice_counts_once_and_takes_no_rank_from_others) {
  const auto fused = fuse_ranks({{0, 0, 1, 0}}, {1}, 0, 2);
  CHECK((items_of(fused) == Items{0, 1}));
  CHECK(near(fused[0].score, 1) && near(fused[1].score, 0.5));
}

TEST(weights_decide_and_equals_come_in_their_order) {
  CHECK((items_of(fuse_ranks({{0}, {1}}, {1, 3}, 60, 2)) == Items{1, 0}));
  CHECK((items_of(fuse_ranks({{0, 1}, {1, 0}, {2}}, {0, 0, 0}, 60, 3)) == Items{0, 1, 2}));
  CHECK((items_of(fuse_ranks({{0, 1}, {1, 0}}, {1, 1}, 60, 2)) == Items{0, 1}));
}

TEST(nothing_gives_nothing_and_wrong_numbers_are_refused) {
  CHECK(fuse_ranks({}, {}, 60, 0).empty());
  CHECK(fuse_ranks({{}, {}}, {1, 1}, 60, 0).empty());
  for (const double wrong : {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CHECK_THROWS(ErrorCode::kInvalidArgument, fuse_ranks({{0}}, {wrong}, 60, 1));
    CHECK_THROWS(ErrorCode::kInvalidArgument, fuse_ranks({{0}}, {1}, wrong, 1));
  }
  CHECK_THROWS(ErrorCode::kInvalidArgument, fuse_ranks({{0}}, {1, 1}, 60, 1));
}

TEST_MAIN()
