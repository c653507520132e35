// The table of functions that each instruction set provides. Raw pointers and lengths only: these files
// are compiled with flags the rest of the core must never see, so they share no inline code with it.
//
// Codes: a row of 4-bit codes is a run of 64-byte blocks of 128 dimensions; byte i of a block holds
// dimension i in its low and dimension i + 64 in its high half. Queries on codes are int8 in natural order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mastra::kernels {

// A query as 256 * hi + lo, so that two int8 passes give 16-bit precision. `hi` alone is the coarse query.
struct SplitQuery {
  const std::int8_t* hi;
  const std::int8_t* lo;
  std::int32_t hi_sum;
  std::int32_t lo_sum;
};

template <class T>
struct FloatKernels {
  float (*dot)(const T* a, const T* b, std::size_t n);
  float (*l2)(const T* a, const T* b, std::size_t n);                  // squared
  void (*moments)(const T* a, const T* b, std::size_t n, float* out);  // a.b, a.a, b.b
};

template <class T>
struct CodeKernels {
  std::int64_t (*dot)(const T* a, const T* b, std::size_t n);
  void (*moments)(const T* a, const T* b, std::size_t n, std::int64_t* out);  // a.b, a.a, b.b
};

struct KernelTable {
  const char* name;
  FloatKernels<float> f32;
  FloatKernels<std::uint16_t> f16;
  FloatKernels<std::uint16_t> bf16;
  float (*f16_mixed)(const float* a, const std::uint16_t* b, std::size_t n);  // dot product, b in f16
  CodeKernels<std::int8_t> i8;
  CodeKernels<std::uint8_t> u4;  // packed, two a byte; n counts bytes
  std::uint64_t (*hamming)(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes);

  // One f32 query against `count` rows that lie `stride` floats apart.
  void (*scan_dot)(const float* query, const float* rows, std::size_t stride, std::size_t count,
                   std::size_t n, float* out);
  void (*scan_l2)(const float* query, const float* rows, std::size_t stride, std::size_t count,
                  std::size_t n, float* out);
  // out[2i] = query . row, out[2i + 1] = row . row
  void (*scan_cosine)(const float* query, const float* rows, std::size_t stride, std::size_t count,
                      std::size_t n, float* out);
  // tile_rows rows against a panel of tile_queries queries, stored dimension by dimension
  // (panel[j * tile_queries + q]); out[r * tile_queries + q].
  std::size_t tile_rows;
  std::size_t tile_queries;
  void (*tile_dot)(const float* panel, const float* rows, std::size_t stride, std::size_t n, float* out);
  void (*tile_l2)(const float* panel, const float* rows, std::size_t stride, std::size_t n, float* out);

  // hi[j] = round(x[j] * step[j] * scale / 256), lo the rest; returns the largest |x[j] * step[j]|.
  float (*largest)(const float* x, const float* step, std::size_t n);
  void (*split)(const float* x, const float* step, float scale, std::size_t n, std::int8_t* hi,
                std::int8_t* lo);
  // Coarse query against rows of 4-bit codes; out has room for count rounded up to 4.
  void (*score_u4)(const std::int8_t* query, const std::uint8_t* codes, std::size_t blocks,
                   const std::uint32_t* slots, std::size_t count, std::int32_t* out);
  void (*scan_u4)(const std::int8_t* query, const std::uint8_t* codes, std::size_t blocks,
                  std::size_t count, std::int32_t* out);
  // out[0] = query . code, out[1] = query . (residual - 128), or query . residual for 4-bit residuals.
  void (*refine_r8)(const SplitQuery* query, const std::uint8_t* code, const std::uint8_t* residual,
                    std::size_t blocks, float* out);
  void (*refine_r4)(const SplitQuery* query, const std::uint8_t* code, const std::uint8_t* residual,
                    std::size_t blocks, float* out);
  // query[j] = round(base[j] + slope[j] * code[j]); returns the sum of weight[j] * code[j].
  float (*expand_u4)(const std::uint8_t* code, const float* base, const float* slope, const float* weight,
                     std::size_t blocks, std::int8_t* query);
  // The row of a code and its residual, 128 floats a block:
  // out[j] = centre[j] + step[j] * (code[j] - 7.5 + scale * (residual[j] - 128)), or - 7.5 for 4-bit residuals.
  void (*decode_r8)(const std::uint8_t* code, const std::uint8_t* residual, float scale, const float* centre,
                    const float* step, std::size_t blocks, float* out);
  void (*decode_r4)(const std::uint8_t* code, const std::uint8_t* residual, float scale, const float* centre,
                    const float* step, std::size_t blocks, float* out);
};

extern const KernelTable scalar;
#if defined(__x86_64__) || defined(_M_X64)
extern const KernelTable avx2;
extern const KernelTable avxvnni;
extern const KernelTable avx512;
extern const KernelTable avx512vnni;
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const KernelTable neon;
extern const KernelTable neondot;
extern const KernelTable neoni8mm;
#endif

}  // namespace mastra::kernels
