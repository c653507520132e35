// Maximal marginal relevance: picks results that are near the question and unlike each other.
//
// Purpose: the answers of a search say the same thing several times; a prompt wants each thing once.
// Ownership: the caller's vectors are read during the call only.
// Thread safety: a pure function. Time: k * n products of vectors; memory: n numbers.
// REQUIRES: `question` has `size` numbers and `vectors` has `count` rows of them.
#pragma once

#include <cstddef>
#include <vector>

namespace mastra {

// The numbers of the `k` picked rows of `vectors` (`count` rows of `size` floats), in order of picking. Each step takes the
// row with the greatest balance * cosine(row, question) - (1 - balance) * (greatest cosine to a picked row); among equals
// the first. A row of zeros has the cosine 0 to everything.
// Throws Error(kInvalidArgument) for a balance outside 0..1, a size of 0 and numbers that are not finite.
std::vector<std::size_t> maximal_marginal_relevance(const float* question, const float* vectors, std::size_t count,
                                                    std::size_t size, std::size_t k, float balance);

}  // namespace mastra
