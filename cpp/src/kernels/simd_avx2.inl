// AVX2, FMA and F16C, 8 floats or 32 bytes at a time; with AVX-VNNI where the including file enables it.
#include <immintrin.h>

namespace mastra::kernels {
namespace {

struct V {
  static constexpr std::size_t L = 8;
  static constexpr std::size_t W = 32;
  static constexpr std::size_t kTileRows = 6;
  static constexpr std::size_t kTileVectors = 2;
  using F = __m256;
  using B = __m256i;
  using I = __m256i;
  using P = __m256i;

  static F zero() { return _mm256_setzero_ps(); }
  static F set1(float x) { return _mm256_set1_ps(x); }
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static F load_n(const float* p, std::size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane));
  }
  static void store(float* p, F x) { _mm256_storeu_ps(p, x); }
  static F load_f16(const std::uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static F load_bf16(const std::uint16_t* p) {
    const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16));
  }
  static F from_u8(const std::uint8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static F round(F x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static void store_s8(std::int8_t* p, F x) {
    const __m256i wide = _mm256_cvtps_epi32(x);
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(half, half));
  }
  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static F max(F a, F b) { return _mm256_max_ps(a, b); }
  static F abs(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), a); }
  static float sum(F a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  static float top(F a) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
  }
  static void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

  static B load_bytes(const std::uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void store_bytes(std::uint8_t* p, B x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static B low(B x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
  static B high(B x) { return _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15)); }
  static I izero() { return _mm256_setzero_si256(); }
  static I iadd(I a, I b) { return _mm256_add_epi32(a, b); }
  static std::int32_t isum(I a) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
  }
  static void isum4(I a, I b, I c, I d, std::int32_t* out) {
    const __m256i t = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                     _mm_add_epi32(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1)));
  }
  static I halves(I sum, __m256i a_low, __m256i a_high, B b) {
    const __m256i b_low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(b));
    const __m256i b_high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(b, 1));
    return _mm256_add_epi32(
        sum, _mm256_add_epi32(_mm256_madd_epi16(a_low, b_low), _mm256_madd_epi16(a_high, b_high)));
  }
  static I dot_s8(I sum, B a, B b) {
    return halves(sum, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(a)),
                  _mm256_cvtepi8_epi16(_mm256_extracti128_si256(a, 1)), b);
  }
#if defined(__AVXVNNI__)
  static constexpr int kBias = 128;
  static I dot_biased(I sum, B u, B q) { return _mm256_dpbusd_avx_epi32(sum, u, q); }
  static I dot_nibbles(I sum, B c, B lo, B hi) {
    return _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(sum, low(c), lo), high(c), hi);
  }
#else
  static constexpr int kBias = 128;
  static I dot_biased(I sum, B u, B q) {
    return halves(sum, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(u)),
                  _mm256_cvtepu8_epi16(_mm256_extracti128_si256(u, 1)), q);
  }
  // 15 * 128 * 4 fits 16 bits: no sum of this step saturates.
  static I dot_nibbles(I sum, B c, B lo, B hi) {
    const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(low(c), lo), _mm256_maddubs_epi16(high(c), hi));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
#endif
  static P pzero() { return _mm256_setzero_si256(); }
  static P popcount(P sum, B a, B b) {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3,
                                           1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i x = _mm256_xor_si256(a, b);
    const __m256i bits = _mm256_add_epi8(_mm256_shuffle_epi8(table, low(x)), _mm256_shuffle_epi8(table, high(x)));
    return _mm256_add_epi64(sum, _mm256_sad_epu8(bits, _mm256_setzero_si256()));
  }
  static std::uint64_t psum(P sum) {
    const __m128i s = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_add_epi64(s, _mm_unpackhi_epi64(s, s))));
  }
};

}  // namespace
}  // namespace mastra::kernels
