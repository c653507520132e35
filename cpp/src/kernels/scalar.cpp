// The portable kernels: plain C++, no instruction set beyond the platform's baseline.
#include "table.hpp"

namespace mastra::kernels {
namespace {

struct V {
  static constexpr std::size_t L = 4;
  static constexpr std::size_t W = 16;
  static constexpr std::size_t kTileRows = 4;
  static constexpr std::size_t kTileVectors = 1;
  static constexpr int kBias = 0;
  struct F {
    float v[L];
  };
  struct B {
    std::uint8_t v[W];
  };
  using I = std::int32_t;
  using P = std::uint64_t;

  static F zero() { return {}; }
  static F set1(float x) { return {{x, x, x, x}}; }
  static F load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static F load_n(const float* p, std::size_t n) {
    F out{};
    for (std::size_t i = 0; i < n; ++i) out.v[i] = p[i];
    return out;
  }
  static void store(float* p, F x) {
    for (std::size_t i = 0; i < L; ++i) p[i] = x.v[i];
  }
  static float bits_to_float(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }
  static float half(std::uint16_t h) {
    const std::uint32_t sign = (h & 0x8000U) << 16U;
    const std::uint32_t exponent = (h >> 10U) & 31U;
    const std::uint32_t fraction = h & 1023U;
    if (exponent == 31) return bits_to_float(sign | 0x7f800000U | (fraction << 13U));
    if (exponent != 0) return bits_to_float(sign | ((exponent + 112) << 23U) | (fraction << 13U));
    const float small = static_cast<float>(fraction) * 5.9604644775390625e-8F;  // 2^-24
    return sign != 0 ? -small : small;
  }
  static F load_f16(const std::uint16_t* p) { return {{half(p[0]), half(p[1]), half(p[2]), half(p[3])}}; }
  static float wide(std::uint16_t b) { return bits_to_float(static_cast<std::uint32_t>(b) << 16U); }
  static F load_bf16(const std::uint16_t* p) { return {{wide(p[0]), wide(p[1]), wide(p[2]), wide(p[3])}}; }
  static F from_u8(const std::uint8_t* p) {
    F out;
    for (std::size_t i = 0; i < L; ++i) out.v[i] = static_cast<float>(p[i]);
    return out;
  }
  static float nearest(float x) {  // half to even, as the vector units do; |x| is far below 2^22
    const float magic = 12582912.0F;
    if (!(x > -4000000.0F && x < 4000000.0F)) return x;
    const volatile float shifted = x + magic;
    return shifted - magic;
  }
  static F round(F x) {
    for (float& f : x.v) f = nearest(f);
    return x;
  }
  static void store_s8(std::int8_t* p, F x) {
    for (std::size_t i = 0; i < L; ++i) {
      const float f = x.v[i];
      p[i] = static_cast<std::int8_t>(f > 127.0F ? 127 : f > -128.0F ? static_cast<int>(f) : -128);
    }
  }
  static F add(F a, F b) {
    for (std::size_t i = 0; i < L; ++i) a.v[i] += b.v[i];
    return a;
  }
  static F sub(F a, F b) {
    for (std::size_t i = 0; i < L; ++i) a.v[i] -= b.v[i];
    return a;
  }
  static F mul(F a, F b) {
    for (std::size_t i = 0; i < L; ++i) a.v[i] *= b.v[i];
    return a;
  }
  static F fma(F a, F b, F c) {
    for (std::size_t i = 0; i < L; ++i) c.v[i] += a.v[i] * b.v[i];
    return c;
  }
  static F max(F a, F b) {
    for (std::size_t i = 0; i < L; ++i) a.v[i] = b.v[i] > a.v[i] ? b.v[i] : a.v[i];
    return a;
  }
  static F abs(F a) {
    for (float& f : a.v) f = f < 0 ? -f : f;
    return a;
  }
  static float sum(F a) { return (a.v[0] + a.v[1]) + (a.v[2] + a.v[3]); }
  static float top(F a) {
    float out = a.v[0];
    for (const float f : a.v) out = f > out ? f : out;
    return out;
  }
  static void prefetch(const void* /*p*/) {}

  static B load_bytes(const std::uint8_t* p) {
    B out;
    for (std::size_t i = 0; i < W; ++i) out.v[i] = p[i];
    return out;
  }
  static void store_bytes(std::uint8_t* p, B x) {
    for (std::size_t i = 0; i < W; ++i) p[i] = x.v[i];
  }
  static B low(B x) {
    for (std::uint8_t& b : x.v) b = static_cast<std::uint8_t>(b & 15U);
    return x;
  }
  static B high(B x) {
    for (std::uint8_t& b : x.v) b = static_cast<std::uint8_t>(b >> 4U);
    return x;
  }
  static I izero() { return 0; }
  static I iadd(I a, I b) { return a + b; }
  static std::int32_t isum(I a) { return a; }
  static void isum4(I a, I b, I c, I d, std::int32_t* out) {
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
  }
  static int s8(std::uint8_t b) { return static_cast<std::int8_t>(b); }
  static I dot_s8(I sum, B a, B b) {
    for (std::size_t i = 0; i < W; ++i) sum += s8(a.v[i]) * s8(b.v[i]);
    return sum;
  }
  static I dot_biased(I sum, B u, B q) {
    for (std::size_t i = 0; i < W; ++i) sum += (static_cast<int>(u.v[i]) - 128) * s8(q.v[i]);
    return sum;
  }
  static I dot_nibbles(I sum, B c, B lo, B hi) {
    for (std::size_t i = 0; i < W; ++i) {
      sum += static_cast<int>(c.v[i] & 15U) * s8(lo.v[i]) + static_cast<int>(c.v[i] >> 4U) * s8(hi.v[i]);
    }
    return sum;
  }
  static P pzero() { return 0; }
  static P popcount(P sum, B a, B b) {
    for (std::size_t i = 0; i < W; ++i) {
      unsigned x = static_cast<unsigned>(a.v[i] ^ b.v[i]);
      x = x - ((x >> 1U) & 0x55U);
      x = (x & 0x33U) + ((x >> 2U) & 0x33U);
      sum += (x + (x >> 4U)) & 15U;
    }
    return sum;
  }
  static std::uint64_t psum(P sum) { return sum; }
};

}  // namespace
}  // namespace mastra::kernels

#include "loops.inl"

namespace mastra::kernels {
constinit const KernelTable scalar = table_for("scalar");
}
