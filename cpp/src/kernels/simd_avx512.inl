// AVX-512 F, BW, DQ and VL, 16 floats or 64 bytes at a time; with VNNI and VPOPCNTDQ where enabled.
#include <immintrin.h>

namespace mastra::kernels {
namespace {

struct V {
  static constexpr std::size_t L = 16;
  static constexpr std::size_t W = 64;
  static constexpr std::size_t kTileRows = 12;
  static constexpr std::size_t kTileVectors = 2;
  using F = __m512;
  using B = __m512i;
  using I = __m512i;
  using P = __m512i;

  static F zero() { return _mm512_setzero_ps(); }
  static F set1(float x) { return _mm512_set1_ps(x); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static F load_n(const float* p, std::size_t n) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p);
  }
  static void store(float* p, F x) { _mm512_storeu_ps(p, x); }
  static F load_f16(const std::uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static F load_bf16(const std::uint16_t* p) {
    const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
  }
  static F from_u8(const std::uint8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static F round(F x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static void store_s8(std::int8_t* p, F x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x)));
  }
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  static F abs(F a) { return _mm512_abs_ps(a); }
  static float sum(F a) { return _mm512_reduce_add_ps(a); }
  static float top(F a) { return _mm512_reduce_max_ps(a); }
  static void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

  static B load_bytes(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
  static void store_bytes(std::uint8_t* p, B x) { _mm512_storeu_si512(p, x); }
  static B low(B x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
  static B high(B x) { return _mm512_and_si512(_mm512_srli_epi16(x, 4), _mm512_set1_epi8(15)); }
  static I izero() { return _mm512_setzero_si512(); }
  static I iadd(I a, I b) { return _mm512_add_epi32(a, b); }
  static std::int32_t isum(I a) { return _mm512_reduce_add_epi32(a); }
  static __m256i fold(I a) {
    return _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1));
  }
  static void isum4(I a, I b, I c, I d, std::int32_t* out) {
    const __m256i t =
        _mm256_hadd_epi32(_mm256_hadd_epi32(fold(a), fold(b)), _mm256_hadd_epi32(fold(c), fold(d)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                     _mm_add_epi32(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1)));
  }
  static constexpr int kBias = 128;
#if defined(__AVX512VNNI__)
  static I dot_biased(I sum, B u, B q) { return _mm512_dpbusd_epi32(sum, u, q); }
  static I dot_nibbles(I sum, B c, B lo, B hi) {
    return _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum, low(c), lo), high(c), hi);
  }
  // The unit multiplies unsigned by signed: shift a by 128 and take 128 * b off again.
  static I dot_s8(I sum, B a, B b) {
    const __m512i shift = _mm512_set1_epi8(static_cast<char>(0x80));
    const __m512i extra = _mm512_dpbusd_epi32(_mm512_setzero_si512(), shift, b);
    return _mm512_sub_epi32(_mm512_dpbusd_epi32(sum, _mm512_xor_si512(a, shift), b), extra);
  }
#else
  static I halves(I sum, __m512i a_low, __m512i a_high, B b) {
    const __m512i b_low = _mm512_cvtepi8_epi16(_mm512_castsi512_si256(b));
    const __m512i b_high = _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(b, 1));
    return _mm512_add_epi32(
        sum, _mm512_add_epi32(_mm512_madd_epi16(a_low, b_low), _mm512_madd_epi16(a_high, b_high)));
  }
  static I dot_s8(I sum, B a, B b) {
    return halves(sum, _mm512_cvtepi8_epi16(_mm512_castsi512_si256(a)),
                  _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(a, 1)), b);
  }
  static I dot_biased(I sum, B u, B q) {
    return halves(sum, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(u)),
                  _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(u, 1)), q);
  }
  static I dot_nibbles(I sum, B c, B lo, B hi) {
    const __m512i pairs = _mm512_add_epi16(_mm512_maddubs_epi16(low(c), lo), _mm512_maddubs_epi16(high(c), hi));
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
#endif
  static P pzero() { return _mm512_setzero_si512(); }
#if defined(__AVX512VPOPCNTDQ__)
  static P popcount(P sum, B a, B b) {
    return _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(a, b)));
  }
#else
  static P popcount(P sum, B a, B b) {
    const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i x = _mm512_xor_si512(a, b);
    const __m512i bits = _mm512_add_epi8(_mm512_shuffle_epi8(table, low(x)), _mm512_shuffle_epi8(table, high(x)));
    return _mm512_add_epi64(sum, _mm512_sad_epu8(bits, _mm512_setzero_si512()));
  }
#endif
  static std::uint64_t psum(P sum) { return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(sum)); }
};

}  // namespace
}  // namespace mastra::kernels
