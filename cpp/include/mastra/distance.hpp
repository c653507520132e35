// Distances between two vectors, in every element type the core knows.
//
// Purpose: the typed face of the similarity kernels; the length is the caller's to check.
// Thread safety: pure functions; call from any thread.
// REQUIRES: pointers to n readable elements (u4: (n + 1) / 2 bytes, an unused last half being 0;
// bits: (n + 7) / 8 bytes, unused bits being 0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mastra/metric.hpp"

namespace mastra {

enum class Element : unsigned char { kF32, kF16, kBf16, kI8, kU4, kBits };

// Throws Error(kInvalidArgument) for a name that is none of f32, f16, bf16, i8, u4, bits.
Element element_named(const std::string& name);
std::size_t element_bytes(Element element, std::size_t n) noexcept;

// Throws Error(kInvalidArgument) for bits (see hamming) and when MASTRA_KERNEL names no kernel of this machine.
float distance(Metric metric, Element element, const void* a, const void* b, std::size_t n);

// The number of bits that differ in n bits.
std::uint64_t hamming(const void* a, const void* b, std::size_t n);

// The kernels this machine runs, most preferred first, and the one in use.
std::vector<std::string> kernel_names();
std::string active_kernel();

}  // namespace mastra
