// 64-bit ARM with the dot-product and the 8-bit matrix instructions.
#include "table.hpp"

#include "simd_neon.inl"

#include "loops.inl"

namespace mastra::kernels {
constinit const KernelTable neoni8mm = table_for("neoni8mm");
}
