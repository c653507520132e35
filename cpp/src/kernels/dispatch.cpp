#include "kernels/dispatch.hpp"

#include <cstdlib>

#include "cpu.hpp"
#include "mastra/error.hpp"

namespace mastra::kernels {
namespace {

std::vector<const KernelTable*> supported() {
  std::vector<const KernelTable*> out;
  const CpuFeatures cpu = cpu_features();
#if defined(__x86_64__) || defined(_M_X64)
  if (cpu.avx512vnni) out.push_back(&avx512vnni);
  if (cpu.avx512) out.push_back(&avx512);
  if (cpu.avxvnni) out.push_back(&avxvnni);
  if (cpu.avx2) out.push_back(&avx2);
#elif defined(__aarch64__) || defined(_M_ARM64)
  if (cpu.i8mm) out.push_back(&neoni8mm);
  if (cpu.dotprod) out.push_back(&neondot);
  out.push_back(&neon);
#endif
  (void)cpu;
  out.push_back(&scalar);
  return out;
}

const KernelTable& choose() {
  const char* forced = std::getenv("MASTRA_KERNEL");
  return forced == nullptr || *forced == '\0' ? *all().front() : named(forced);
}

}  // namespace

const std::vector<const KernelTable*>& all() {
  static const std::vector<const KernelTable*> tables = supported();
  return tables;
}

const KernelTable& named(const std::string& name) {
  std::string known;
  for (const KernelTable* table : all()) {
    if (name == table->name) return *table;
    known += known.empty() ? "" : ", ";
    known += table->name;
  }
  throw Error(ErrorCode::kInvalidArgument,
              "MASTRA_KERNEL names '" + name + "', but this machine runs only: " + known + ".");
}

const KernelTable& active() {
  static const KernelTable& table = choose();
  return table;
}

}  // namespace mastra::kernels
