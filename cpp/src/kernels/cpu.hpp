// Which instruction sets this machine runs. Compiled with baseline flags.
#pragma once

#include <string>

namespace mastra {

// The processor architecture the core was built for: "x86_64", "aarch64" or "other".
std::string cpu_architecture();

// What the processor has and the operating system saves across context switches.
struct CpuFeatures {
  bool avx2 = false;        // with FMA and F16C
  bool avxvnni = false;     // avx2 and AVX-VNNI
  bool avx512 = false;      // F, BW, DQ, VL
  bool avx512vnni = false;  // avx512 and VNNI and VPOPCNTDQ
  bool dotprod = false;     // ARM dot product
  bool i8mm = false;        // dotprod and ARM 8-bit matrix
};

CpuFeatures cpu_features() noexcept;

}  // namespace mastra
