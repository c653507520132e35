// 64-bit ARM, baseline.
#include "table.hpp"

#include "simd_neon.inl"

#include "loops.inl"

namespace mastra::kernels {
constinit const KernelTable neon = table_for("neon");
}
