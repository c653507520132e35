// How two vectors are compared. Larger scores are better for cosine and dot; smaller for l2.
#pragma once

#include <cstddef>
#include <string>

namespace mastra {

enum class Metric : unsigned char {
  kCosine = 0,  // a.b / (|a| |b|); 0 when either is the zero vector
  kDot = 1,     // a.b
  kL2 = 2,      // |a - b| squared
};

constexpr std::size_t kMaxDim = 65536;

// Throws Error(kInvalidArgument) for a name that is none of cosine, dot, l2.
Metric metric_named(const std::string& name);
const char* metric_name(Metric metric) noexcept;

}  // namespace mastra
