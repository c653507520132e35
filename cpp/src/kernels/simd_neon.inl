// NEON, 4 floats or 16 bytes at a time; with dotprod and i8mm where the including file enables them.
#include <arm_neon.h>

namespace mastra::kernels {
namespace {

struct V {
  static constexpr std::size_t L = 4;
  static constexpr std::size_t W = 16;
  static constexpr std::size_t kTileRows = 8;
  static constexpr std::size_t kTileVectors = 2;
  using F = float32x4_t;
  using B = uint8x16_t;
  using I = int32x4_t;
  using P = uint64x2_t;

  static F zero() { return vdupq_n_f32(0.0F); }
  static F set1(float x) { return vdupq_n_f32(x); }
  static F load(const float* p) { return vld1q_f32(p); }
  static F load_n(const float* p, std::size_t n) {
    float padded[4] = {0.0F, 0.0F, 0.0F, 0.0F};
    for (std::size_t i = 0; i < n; ++i) padded[i] = p[i];
    return vld1q_f32(padded);
  }
  static void store(float* p, F x) { vst1q_f32(p, x); }
  static F load_f16(const std::uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static F load_bf16(const std::uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
  static F from_u8(const std::uint8_t* p) {
    const std::uint32_t raw = static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8U |
                              static_cast<std::uint32_t>(p[2]) << 16U | static_cast<std::uint32_t>(p[3]) << 24U;
    const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(raw));
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
  }
  static F round(F x) { return vrndnq_f32(x); }
  static void store_s8(std::int8_t* p, F x) {
    const int16x4_t half = vqmovn_s32(vcvtq_s32_f32(x));
    const int8x8_t bytes = vqmovn_s16(vcombine_s16(half, half));
    for (int i = 0; i < 4; ++i) p[i] = bytes[i];
  }
  static F add(F a, F b) { return vaddq_f32(a, b); }
  static F sub(F a, F b) { return vsubq_f32(a, b); }
  static F mul(F a, F b) { return vmulq_f32(a, b); }
  static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  static F max(F a, F b) { return vmaxq_f32(a, b); }
  static F abs(F a) { return vabsq_f32(a); }
  static float sum(F a) { return vaddvq_f32(a); }
  static float top(F a) { return vmaxvq_f32(a); }
  static void prefetch(const void* p) { __builtin_prefetch(p); }

  static B load_bytes(const std::uint8_t* p) { return vld1q_u8(p); }
  static void store_bytes(std::uint8_t* p, B x) { vst1q_u8(p, x); }
  static B low(B x) { return vandq_u8(x, vdupq_n_u8(15)); }
  static B high(B x) { return vshrq_n_u8(x, 4); }
  static I izero() { return vdupq_n_s32(0); }
  static I iadd(I a, I b) { return vaddq_s32(a, b); }
  static std::int32_t isum(I a) { return vaddvq_s32(a); }
  static void isum4(I a, I b, I c, I d, std::int32_t* out) {
    vst1q_s32(out, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
  }
  static int8x16_t s8(B x) { return vreinterpretq_s8_u8(x); }
#if defined(__ARM_FEATURE_DOTPROD)
  static I mul_add(I sum, int8x16_t a, int8x16_t b) { return vdotq_s32(sum, a, b); }
#else
  static I mul_add(I sum, int8x16_t a, int8x16_t b) {
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    return vpadalq_s16(sum, vmull_s8(vget_high_s8(a), vget_high_s8(b)));
  }
#endif
  static I dot_s8(I sum, B a, B b) { return mul_add(sum, s8(a), s8(b)); }
#if defined(__ARM_FEATURE_MATMUL_INT8)
  static constexpr int kBias = 128;
  static I dot_biased(I sum, B u, B q) { return vusdotq_s32(sum, u, s8(q)); }
  static I dot_nibbles(I sum, B c, B lo, B hi) {
    return vusdotq_s32(vusdotq_s32(sum, low(c), s8(lo)), high(c), s8(hi));
  }
#else
  static constexpr int kBias = 0;
  static I dot_biased(I sum, B u, B q) { return mul_add(sum, s8(veorq_u8(u, vdupq_n_u8(0x80))), s8(q)); }
  static I dot_nibbles(I sum, B c, B lo, B hi) {
    return mul_add(mul_add(sum, s8(low(c)), s8(lo)), s8(high(c)), s8(hi));
  }
#endif
  static P pzero() { return vdupq_n_u64(0); }
  static P popcount(P sum, B a, B b) {
    return vpadalq_u32(sum, vpaddlq_u16(vpaddlq_u8(vcntq_u8(veorq_u8(a, b)))));
  }
  static std::uint64_t psum(P sum) { return vaddvq_u64(sum); }
};

}  // namespace
}  // namespace mastra::kernels
