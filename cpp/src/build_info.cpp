#include "mastra/build_info.hpp"

#include "kernels/cpu.hpp"

#ifndef MASTRA_VERSION
#define MASTRA_VERSION "0"
#endif

namespace mastra {

BuildInfo build_info() {
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
  const std::string compiler = "gcc " __VERSION__;
#elif defined(_MSC_VER)
  const std::string compiler = "msvc " + std::to_string(_MSC_VER);
#else
  const std::string compiler = "unknown";
#endif
#ifdef NDEBUG
  constexpr bool debug = false;
#else
  constexpr bool debug = true;
#endif
  return {MASTRA_VERSION, compiler, cpu_architecture(), debug};
}

}  // namespace mastra
