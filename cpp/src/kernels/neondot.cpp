// 64-bit ARM with the dot-product instructions.
#include "table.hpp"

#include "simd_neon.inl"

#include "loops.inl"

namespace mastra::kernels {
constinit const KernelTable neondot = table_for("neondot");
}
