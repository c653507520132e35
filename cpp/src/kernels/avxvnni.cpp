// x86-64 with AVX2 and AVX-VNNI: recent desktop processors without AVX-512.
#include "table.hpp"

#include "simd_avx2.inl"

#include "loops.inl"

namespace mastra::kernels {
constinit const KernelTable avxvnni = table_for("avxvnni");
}
