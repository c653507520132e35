#include "mastra/distance.hpp"

#include <cmath>

#include "kernels/dispatch.hpp"
#include "mastra/error.hpp"

namespace mastra {
namespace {

float cosine_of(double ab, double aa, double bb) {
  if (!(aa > 0.0) || !(bb > 0.0)) return aa == aa && bb == bb ? 0.0F : static_cast<float>(aa + bb);
  return static_cast<float>(ab / (std::sqrt(aa) * std::sqrt(bb)));
}

template <class T>
float of_floats(const kernels::FloatKernels<T>& table, Metric metric, const void* a, const void* b,
                std::size_t n) {
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  if (metric == Metric::kDot) return table.dot(x, y, n);
  if (metric == Metric::kL2) return table.l2(x, y, n);
  float sums[3];
  table.moments(x, y, n, sums);
  return cosine_of(sums[0], sums[1], sums[2]);
}

template <class T>
float of_codes(const kernels::CodeKernels<T>& table, Metric metric, const void* a, const void* b,
               std::size_t n) {
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  if (metric == Metric::kDot) return static_cast<float>(table.dot(x, y, n));
  std::int64_t sums[3];
  table.moments(x, y, n, sums);
  if (metric == Metric::kL2) return static_cast<float>(sums[1] + sums[2] - 2 * sums[0]);
  return cosine_of(static_cast<double>(sums[0]), static_cast<double>(sums[1]), static_cast<double>(sums[2]));
}

}  // namespace

Metric metric_named(const std::string& name) {
  if (name == "cosine") return Metric::kCosine;
  if (name == "dot") return Metric::kDot;
  if (name == "l2") return Metric::kL2;
  throw Error(ErrorCode::kInvalidArgument, "The metric '" + name + "' is none of cosine, dot, l2.");
}

const char* metric_name(Metric metric) noexcept {
  switch (metric) {
    case Metric::kDot: return "dot";
    case Metric::kL2: return "l2";
    case Metric::kCosine: break;
  }
  return "cosine";
}

Element element_named(const std::string& name) {
  static const char* const names[] = {"f32", "f16", "bf16", "i8", "u4", "bits"};
  for (unsigned char i = 0; i < 6; ++i) {
    if (name == names[i]) return static_cast<Element>(i);
  }
  throw Error(ErrorCode::kInvalidArgument,
              "The element type '" + name + "' is none of f32, f16, bf16, i8, u4, bits.");
}

std::size_t element_bytes(Element element, std::size_t n) noexcept {
  switch (element) {
    case Element::kF32: return 4 * n;
    case Element::kF16:
    case Element::kBf16: return 2 * n;
    case Element::kU4: return (n + 1) / 2;
    case Element::kBits: return (n + 7) / 8;
    case Element::kI8: break;
  }
  return n;
}

float distance(Metric metric, Element element, const void* a, const void* b, std::size_t n) {
  const kernels::KernelTable& table = kernels::active();
  switch (element) {
    case Element::kF32: return of_floats(table.f32, metric, a, b, n);
    case Element::kF16: return of_floats(table.f16, metric, a, b, n);
    case Element::kBf16: return of_floats(table.bf16, metric, a, b, n);
    case Element::kI8: return of_codes(table.i8, metric, a, b, n);
    case Element::kU4: return of_codes(table.u4, metric, a, b, (n + 1) / 2);
    case Element::kBits: break;
  }
  throw Error(ErrorCode::kInvalidArgument, "Bits are compared by hamming, not by cosine, dot or l2.");
}

std::uint64_t hamming(const void* a, const void* b, std::size_t n) {
  return kernels::active().hamming(static_cast<const std::uint8_t*>(a), static_cast<const std::uint8_t*>(b),
                                   (n + 7) / 8);
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> out;
  for (const kernels::KernelTable* table : kernels::all()) out.emplace_back(table->name);
  return out;
}

std::string active_kernel() { return kernels::active().name; }

}  // namespace mastra
