// Reciprocal-rank fusion: one ranking out of several, whatever their scores mean.
//
// Purpose: a search by words and one by vectors score on scales that cannot be added; their ranks can.
// Ownership: the caller's rankings are read during the call only.
// Thread safety: a pure function. Time: the length of all rankings, and the sorting of their items; memory: a few
// numbers for each item.
// REQUIRES: items are numbers below `items`, given in the order in which they first appear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mastra {

struct FusedItem {
  std::uint32_t item;
  double score;
};

// The items, each with the sum of weight / (k + rank) over the rankings that have it; the best of a ranking has rank 1,
// and an item that comes twice in one counts at its better place only. Best first; equal sums by their numbers.
// Throws Error(kInvalidArgument) for another count of weights than of rankings, and for a weight or a `k` that is
// negative or not finite.
std::vector<FusedItem> fuse_ranks(const std::vector<std::vector<std::uint32_t>>& rankings, const std::vector<double>& weights, double k,
                                  std::size_t items);

}  // namespace mastra
