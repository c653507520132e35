#include "mastra/rank_fusion.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "mastra/error.hpp"

namespace mastra {
namespace {

bool usable(double number) noexcept { return std::isfinite(number) && number >= 0; }

}  // namespace

std::vector<FusedItem> fuse_ranks(const std::vector<std::vector<std::uint32_t>>& rankings, const std::vector<double>& weights, double k,
                                  std::size_t items) {
  if (weights.size() != rankings.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                std::to_string(rankings.size()) + " rankings need as many weights, not " + std::to_string(weights.size()));
  }
  if (!usable(k) || !std::all_of(weights.begin(), weights.end(), usable)) {
    throw Error(ErrorCode::kInvalidArgument, "k and the weights must be finite and at least 0");
  }
  std::vector<FusedItem> out(items);
  for (std::size_t item = 0; item < items; ++item) out[item] = {static_cast<std::uint32_t>(item), 0.0};
  std::vector<std::size_t> seen_in(items);  // the number of the last ranking that had the item, from 1
  for (std::size_t at = 0; at < rankings.size(); ++at) {
    double rank = 0;
    for (const std::uint32_t item : rankings[at]) {
      if (seen_in[item] == at + 1) continue;
      seen_in[item] = at + 1;
      out[item].score += weights[at] / (k + ++rank);
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const FusedItem& a, const FusedItem& b) { return a.score > b.score; });
  return out;
}

}  // namespace mastra
