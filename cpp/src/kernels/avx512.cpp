// x86-64 with AVX-512 F, BW, DQ and VL.
#include "table.hpp"

#include "simd_avx512.inl"

#include "loops.inl"

namespace mastra::kernels {
constinit const KernelTable avx512 = table_for("avx512");
}
