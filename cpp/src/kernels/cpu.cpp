#include "cpu.hpp"

#if defined(_MSC_VER) && defined(_M_X64)
#include <immintrin.h>
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

#include <cstddef>
#endif

namespace mastra {

std::string cpu_architecture() {
#if defined(__x86_64__) || defined(_M_X64)
  return "x86_64";
#elif defined(__aarch64__) || defined(_M_ARM64)
  return "aarch64";
#else
  return "other";
#endif
}

#if defined(__x86_64__) || defined(_M_X64)
namespace {

struct Registers {
  unsigned a, b, c, d;
};

Registers cpuid(unsigned leaf, unsigned sub) {
  Registers out{};
#if defined(_MSC_VER)
  int raw[4];
  __cpuidex(raw, static_cast<int>(leaf), static_cast<int>(sub));
  out = {static_cast<unsigned>(raw[0]), static_cast<unsigned>(raw[1]), static_cast<unsigned>(raw[2]),
         static_cast<unsigned>(raw[3])};
#else
  __cpuid_count(leaf, sub, out.a, out.b, out.c, out.d);
#endif
  return out;
}

unsigned saved_state() {  // XCR0: the registers that the operating system saves
#if defined(_MSC_VER)
  return static_cast<unsigned>(_xgetbv(0));
#else
  unsigned low = 0;
  unsigned high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
#endif
}

bool bit(unsigned word, unsigned at) { return ((word >> at) & 1U) != 0; }

}  // namespace

CpuFeatures cpu_features() noexcept {
  CpuFeatures out;
  const unsigned leaves = cpuid(0, 0).a;
  const Registers one = cpuid(1, 0);
  if (leaves < 7 || !bit(one.c, 27)) return out;  // 27: OSXSAVE
  const unsigned saved = saved_state();
  const Registers seven = cpuid(7, 0);
  const bool ymm = (saved & 0x6U) == 0x6U;
  const bool zmm = (saved & 0xe6U) == 0xe6U;
  out.avx2 = ymm && bit(seven.b, 5) && bit(one.c, 12) && bit(one.c, 29);
  out.avxvnni = out.avx2 && seven.a >= 1 && bit(cpuid(7, 1).a, 4);
  out.avx512 = out.avx2 && zmm && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) && bit(seven.b, 31);
  out.avx512vnni = out.avx512 && bit(seven.c, 11) && bit(seven.c, 14);
  return out;
}
#elif defined(__aarch64__) && defined(__linux__)
CpuFeatures cpu_features() noexcept {
  CpuFeatures out;
  out.dotprod = ((getauxval(AT_HWCAP) >> 20U) & 1U) != 0;
  out.i8mm = out.dotprod && ((getauxval(AT_HWCAP2) >> 13U) & 1U) != 0;
  return out;
}
#elif defined(__aarch64__) && defined(__APPLE__)
namespace {

// A system that does not know the name (macOS 11) says no.
bool has(const char* feature) {
  int value = 0;
  std::size_t size = sizeof(value);
  return sysctlbyname(feature, &value, &size, nullptr, 0) == 0 && value != 0;
}

}  // namespace

// Every Mac has dot products, but not every iPhone and iPad that iOS 13 runs on.
CpuFeatures cpu_features() noexcept {
  CpuFeatures out;
  out.dotprod = has("hw.optional.arm.FEAT_DotProd");
  out.i8mm = out.dotprod && has("hw.optional.arm.FEAT_I8MM");
  return out;
}
#else
CpuFeatures cpu_features() noexcept { return {}; }
#endif

}  // namespace mastra
