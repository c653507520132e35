// x86-64 with AVX2, FMA and F16C.
#include "table.hpp"

#include "simd_avx2.inl"

#include "loops.inl"

namespace mastra::kernels {
constinit const KernelTable avx2 = table_for("avx2");
}
