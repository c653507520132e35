// x86-64 with AVX-512, VNNI and VPOPCNTDQ.
#include "table.hpp"

#include "simd_avx512.inl"

#include "loops.inl"

namespace mastra::kernels {
constinit const KernelTable avx512vnni = table_for("avx512vnni");
}
