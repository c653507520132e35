// The loops, once for every instruction set. The including file defines, in an anonymous namespace, the
// struct V of vector operations: F (L floats), B (W bytes), I (int32 sums), and tile sizes.
// Everything here has internal linkage, so that an object exports its table and nothing else.

namespace mastra::kernels {
namespace {

using F = V::F;
using B = V::B;
using I = V::I;
using std::int32_t;
using std::int64_t;
using std::int8_t;
using std::size_t;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

constexpr size_t kLanes = V::L;
constexpr size_t kBytes = V::W;
constexpr size_t kParts = 64 / kBytes;  // vectors in a 64-byte block

struct FromF32 {
  using T = float;
  static F full(const T* p) { return V::load(p); }
  static F part(const T* p, size_t n) { return V::load_n(p, n); }
};
struct FromF16 {
  using T = uint16_t;
  static F full(const T* p) { return V::load_f16(p); }
  static F part(const T* p, size_t n) {
    uint16_t padded[kLanes] = {};
    for (size_t i = 0; i < n; ++i) padded[i] = p[i];
    return V::load_f16(padded);
  }
};
struct FromBf16 {
  using T = uint16_t;
  static F full(const T* p) { return V::load_bf16(p); }
  static F part(const T* p, size_t n) {
    uint16_t padded[kLanes] = {};
    for (size_t i = 0; i < n; ++i) padded[i] = p[i];
    return V::load_bf16(padded);
  }
};

struct Dot {
  static F step(F a, F b, F sum) { return V::fma(a, b, sum); }
};
struct L2 {
  static F step(F a, F b, F sum) {
    const F d = V::sub(a, b);
    return V::fma(d, d, sum);
  }
};

template <class E, class Op>
float pair(const typename E::T* a, const typename E::T* b, size_t n) {
  F s0 = V::zero(), s1 = V::zero(), s2 = V::zero(), s3 = V::zero();
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    s0 = Op::step(E::full(a + i), E::full(b + i), s0);
    s1 = Op::step(E::full(a + i + kLanes), E::full(b + i + kLanes), s1);
    s2 = Op::step(E::full(a + i + 2 * kLanes), E::full(b + i + 2 * kLanes), s2);
    s3 = Op::step(E::full(a + i + 3 * kLanes), E::full(b + i + 3 * kLanes), s3);
  }
  for (; i + kLanes <= n; i += kLanes) s0 = Op::step(E::full(a + i), E::full(b + i), s0);
  if (i < n) s1 = Op::step(E::part(a + i, n - i), E::part(b + i, n - i), s1);
  return V::sum(V::add(V::add(s0, s1), V::add(s2, s3)));
}

template <class E>
void moments(const typename E::T* a, const typename E::T* b, size_t n, float* out) {
  F ab0 = V::zero(), aa0 = V::zero(), bb0 = V::zero(), ab1 = V::zero(), aa1 = V::zero(), bb1 = V::zero();
  size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const F x = E::full(a + i), y = E::full(b + i);
    const F z = E::full(a + i + kLanes), w = E::full(b + i + kLanes);
    ab0 = V::fma(x, y, ab0);
    aa0 = V::fma(x, x, aa0);
    bb0 = V::fma(y, y, bb0);
    ab1 = V::fma(z, w, ab1);
    aa1 = V::fma(z, z, aa1);
    bb1 = V::fma(w, w, bb1);
  }
  for (; i < n; i += kLanes) {
    const bool whole = i + kLanes <= n;
    const F x = whole ? E::full(a + i) : E::part(a + i, n - i);
    const F y = whole ? E::full(b + i) : E::part(b + i, n - i);
    ab0 = V::fma(x, y, ab0);
    aa0 = V::fma(x, x, aa0);
    bb0 = V::fma(y, y, bb0);
  }
  out[0] = V::sum(V::add(ab0, ab1));
  out[1] = V::sum(V::add(aa0, aa1));
  out[2] = V::sum(V::add(bb0, bb1));
}

float f16_mixed(const float* a, const uint16_t* b, size_t n) {
  F s0 = V::zero(), s1 = V::zero();
  size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    s0 = V::fma(V::load(a + i), V::load_f16(b + i), s0);
    s1 = V::fma(V::load(a + i + kLanes), V::load_f16(b + i + kLanes), s1);
  }
  for (; i + kLanes <= n; i += kLanes) s0 = V::fma(V::load(a + i), V::load_f16(b + i), s0);
  if (i < n) s1 = V::fma(V::load_n(a + i, n - i), FromF16::part(b + i, n - i), s1);
  return V::sum(V::add(s0, s1));
}

// ---------------------------------------------------------------- integer codes

inline B tail_bytes(const uint8_t* p, size_t n) {
  alignas(64) uint8_t padded[kBytes] = {};
  for (size_t i = 0; i < n; ++i) padded[i] = p[i];
  return V::load_bytes(padded);
}

struct SignedBytes {
  static I step(B a, B b, I sum) { return V::dot_s8(sum, a, b); }
};
struct Nibbles {
  static I step(B a, B b, I sum) { return V::dot_nibbles(sum, a, V::low(b), V::high(b)); }
};

constexpr size_t kChunk = 16384;  // bytes whose int32 sums cannot overflow

template <class Op>
int64_t code_dot_bytes(const uint8_t* a, const uint8_t* b, size_t n) {
  int64_t total = 0;
  for (size_t start = 0; start < n; start += kChunk) {
    const size_t end = n - start < kChunk ? n : start + kChunk;
    I s0 = V::izero(), s1 = V::izero();
    size_t i = start;
    for (; i + 2 * kBytes <= end; i += 2 * kBytes) {
      s0 = Op::step(V::load_bytes(a + i), V::load_bytes(b + i), s0);
      s1 = Op::step(V::load_bytes(a + i + kBytes), V::load_bytes(b + i + kBytes), s1);
    }
    for (; i + kBytes <= end; i += kBytes) s0 = Op::step(V::load_bytes(a + i), V::load_bytes(b + i), s0);
    if (i < end) s1 = Op::step(tail_bytes(a + i, end - i), tail_bytes(b + i, end - i), s1);
    total += V::isum(V::iadd(s0, s1));
  }
  return total;
}

template <class Op, class T>
int64_t code_dot(const T* a, const T* b, size_t n) {
  return code_dot_bytes<Op>(reinterpret_cast<const uint8_t*>(a), reinterpret_cast<const uint8_t*>(b), n);
}

template <class Op, class T>
void code_moments(const T* a, const T* b, size_t n, int64_t* out) {
  out[0] = code_dot<Op>(a, b, n);
  out[1] = code_dot<Op>(a, a, n);
  out[2] = code_dot<Op>(b, b, n);
}

uint64_t hamming(const uint8_t* a, const uint8_t* b, size_t n) {
  V::P sum = V::pzero();
  size_t i = 0;
  for (; i + kBytes <= n; i += kBytes) sum = V::popcount(sum, V::load_bytes(a + i), V::load_bytes(b + i));
  if (i < n) sum = V::popcount(sum, tail_bytes(a + i, n - i), tail_bytes(b + i, n - i));
  return V::psum(sum);
}

// ---------------------------------------------------------------- one query, many rows

template <class Op>
void scan(const float* q, const float* rows, size_t stride, size_t count, size_t n, float* out) {
  size_t r = 0;
  for (; r + 4 <= count; r += 4) {
    const float* a = rows + r * stride;
    const float* b = a + stride;
    const float* c = b + stride;
    const float* d = c + stride;
    F s0 = V::zero(), s1 = V::zero(), s2 = V::zero(), s3 = V::zero();
    size_t j = 0;
    for (; j + kLanes <= n; j += kLanes) {
      const F x = V::load(q + j);
      V::prefetch(a + j + 4 * stride);
      V::prefetch(b + j + 4 * stride);
      V::prefetch(c + j + 4 * stride);
      V::prefetch(d + j + 4 * stride);
      s0 = Op::step(x, V::load(a + j), s0);
      s1 = Op::step(x, V::load(b + j), s1);
      s2 = Op::step(x, V::load(c + j), s2);
      s3 = Op::step(x, V::load(d + j), s3);
    }
    if (j < n) {
      const F x = V::load_n(q + j, n - j);
      s0 = Op::step(x, V::load_n(a + j, n - j), s0);
      s1 = Op::step(x, V::load_n(b + j, n - j), s1);
      s2 = Op::step(x, V::load_n(c + j, n - j), s2);
      s3 = Op::step(x, V::load_n(d + j, n - j), s3);
    }
    out[r] = V::sum(s0);
    out[r + 1] = V::sum(s1);
    out[r + 2] = V::sum(s2);
    out[r + 3] = V::sum(s3);
  }
  for (; r < count; ++r) out[r] = pair<FromF32, Op>(q, rows + r * stride, n);
}

void scan_cosine(const float* q, const float* rows, size_t stride, size_t count, size_t n, float* out) {
  for (size_t r = 0; r < count; ++r) {
    const float* a = rows + r * stride;
    F d0 = V::zero(), d1 = V::zero(), n0 = V::zero(), n1 = V::zero();
    size_t j = 0;
    for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
      const F x = V::load(a + j), y = V::load(a + j + kLanes);
      V::prefetch(a + j + 4 * stride);
      V::prefetch(a + j + kLanes + 4 * stride);
      d0 = V::fma(V::load(q + j), x, d0);
      n0 = V::fma(x, x, n0);
      d1 = V::fma(V::load(q + j + kLanes), y, d1);
      n1 = V::fma(y, y, n1);
    }
    for (; j < n; j += kLanes) {
      const bool whole = j + kLanes <= n;
      const F x = whole ? V::load(a + j) : V::load_n(a + j, n - j);
      d0 = V::fma(whole ? V::load(q + j) : V::load_n(q + j, n - j), x, d0);
      n0 = V::fma(x, x, n0);
    }
    out[2 * r] = V::sum(V::add(d0, d1));
    out[2 * r + 1] = V::sum(V::add(n0, n1));
  }
}

// ---------------------------------------------------------------- many queries, many rows

template <class Op>
void tile(const float* panel, const float* rows, size_t stride, size_t n, float* out) {
  constexpr size_t kRows = V::kTileRows;
  constexpr size_t kVectors = V::kTileVectors;
  F sum[kRows][kVectors];
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) sum[r][v] = V::zero();
  }
  for (size_t j = 0; j < n; ++j) {
    F q[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) q[v] = V::load(panel + (j * kVectors + v) * kLanes);
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
      const F x = V::set1(rows[r * stride + j]);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = Op::step(q[v], x, sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) V::store(out + (r * kVectors + v) * kLanes, sum[r][v]);
  }
}

// ---------------------------------------------------------------- queries on codes

float largest(const float* x, const float* step, size_t n) {
  F top = V::zero();
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) top = V::max(top, V::abs(V::mul(V::load(x + i), V::load(step + i))));
  if (i < n) top = V::max(top, V::abs(V::mul(V::load_n(x + i, n - i), V::load_n(step + i, n - i))));
  return V::top(top);
}

void split(const float* x, const float* step, float scale, size_t n, int8_t* hi, int8_t* lo) {
  const F s = V::set1(scale), down = V::set1(1.0F / 256.0F), up = V::set1(-256.0F);
  for (size_t i = 0; i < n; i += kLanes) {
    const bool whole = i + kLanes <= n;
    const F a = whole ? V::load(x + i) : V::load_n(x + i, n - i);
    const F b = whole ? V::load(step + i) : V::load_n(step + i, n - i);
    const F q = V::mul(V::mul(a, b), s);
    const F h = V::round(V::mul(q, down));
    V::store_s8(hi + i, h);
    V::store_s8(lo + i, V::round(V::fma(h, up, q)));
  }
}

template <size_t kBlocks, class Row>
void score_rows(const int8_t* query, size_t blocks, size_t count, int32_t* out, Row row) {
  const size_t n = kBlocks == 0 ? blocks : kBlocks;
  const uint8_t* q = reinterpret_cast<const uint8_t*>(query);
  for (size_t i = 0; i < count; i += 4) {
    const uint8_t* p0 = row(i);
    const uint8_t* p1 = row(i + 1 < count ? i + 1 : count - 1);
    const uint8_t* p2 = row(i + 2 < count ? i + 2 : count - 1);
    const uint8_t* p3 = row(i + 3 < count ? i + 3 : count - 1);
    I s0 = V::izero(), s1 = V::izero(), s2 = V::izero(), s3 = V::izero();
#pragma GCC unroll 4
    for (size_t b = 0; b < n; ++b) {
#pragma GCC unroll 4
      for (size_t v = 0; v < kParts; ++v) {
        const B x = V::load_bytes(q + b * 128 + v * kBytes);
        const B y = V::load_bytes(q + b * 128 + 64 + v * kBytes);
        const size_t at = b * 64 + v * kBytes;
        s0 = V::dot_nibbles(s0, V::load_bytes(p0 + at), x, y);
        s1 = V::dot_nibbles(s1, V::load_bytes(p1 + at), x, y);
        s2 = V::dot_nibbles(s2, V::load_bytes(p2 + at), x, y);
        s3 = V::dot_nibbles(s3, V::load_bytes(p3 + at), x, y);
      }
    }
    V::isum4(s0, s1, s2, s3, out + i);
  }
}

template <class Row>
void score_any(const int8_t* query, size_t blocks, size_t count, int32_t* out, Row row) {
  switch (blocks) {
    case 1: return score_rows<1>(query, 1, count, out, row);
    case 2: return score_rows<2>(query, 2, count, out, row);
    case 3: return score_rows<3>(query, 3, count, out, row);
    case 4: return score_rows<4>(query, 4, count, out, row);
    case 6: return score_rows<6>(query, 6, count, out, row);
    default: return score_rows<0>(query, blocks, count, out, row);
  }
}

void score_u4(const int8_t* query, const uint8_t* codes, size_t blocks, const uint32_t* slots, size_t count,
              int32_t* out) {
  const size_t stride = blocks * 64;
  score_any(query, blocks, count, out, [=](size_t i) { return codes + slots[i] * stride; });
}

void scan_u4(const int8_t* query, const uint8_t* codes, size_t blocks, size_t count, int32_t* out) {
  const size_t stride = blocks * 64;
  score_any(query, blocks, count, out, [=](size_t i) { return codes + i * stride; });
}

float wide(I hi, I lo, int64_t hi_bias, int64_t lo_bias) {
  return static_cast<float>(256 * (static_cast<int64_t>(V::isum(hi)) - hi_bias) +
                            (static_cast<int64_t>(V::isum(lo)) - lo_bias));
}

void refine_r8(const SplitQuery* query, const uint8_t* code, const uint8_t* residual, size_t blocks,
               float* out) {
  const uint8_t* hi = reinterpret_cast<const uint8_t*>(query->hi);
  const uint8_t* lo = reinterpret_cast<const uint8_t*>(query->lo);
  I ch = V::izero(), cl = V::izero(), rh = V::izero(), rl = V::izero();
  for (size_t b = 0; b < blocks; ++b) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kParts; ++v) {
      const size_t at = b * 128 + v * kBytes;
      const B h0 = V::load_bytes(hi + at), h1 = V::load_bytes(hi + at + 64);
      const B l0 = V::load_bytes(lo + at), l1 = V::load_bytes(lo + at + 64);
      const B c = V::load_bytes(code + b * 64 + v * kBytes);
      ch = V::dot_nibbles(ch, c, h0, h1);
      cl = V::dot_nibbles(cl, c, l0, l1);
      const B r0 = V::load_bytes(residual + at), r1 = V::load_bytes(residual + at + 64);
      rh = V::dot_biased(V::dot_biased(rh, r0, h0), r1, h1);
      rl = V::dot_biased(V::dot_biased(rl, r0, l0), r1, l1);
    }
  }
  out[0] = wide(ch, cl, 0, 0);
  out[1] = wide(rh, rl, static_cast<int64_t>(V::kBias) * query->hi_sum,
                static_cast<int64_t>(V::kBias) * query->lo_sum);
}

void refine_r4(const SplitQuery* query, const uint8_t* code, const uint8_t* residual, size_t blocks,
               float* out) {
  const uint8_t* hi = reinterpret_cast<const uint8_t*>(query->hi);
  const uint8_t* lo = reinterpret_cast<const uint8_t*>(query->lo);
  I ch = V::izero(), cl = V::izero(), rh = V::izero(), rl = V::izero();
  for (size_t b = 0; b < blocks; ++b) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kParts; ++v) {
      const size_t at = b * 128 + v * kBytes;
      const B h0 = V::load_bytes(hi + at), h1 = V::load_bytes(hi + at + 64);
      const B l0 = V::load_bytes(lo + at), l1 = V::load_bytes(lo + at + 64);
      const B c = V::load_bytes(code + b * 64 + v * kBytes);
      const B r = V::load_bytes(residual + b * 64 + v * kBytes);
      ch = V::dot_nibbles(ch, c, h0, h1);
      cl = V::dot_nibbles(cl, c, l0, l1);
      rh = V::dot_nibbles(rh, r, h0, h1);
      rl = V::dot_nibbles(rl, r, l0, l1);
    }
  }
  out[0] = wide(ch, cl, 0, 0);
  out[1] = wide(rh, rl, 0, 0);
}

// The 128 codes of a block in natural order.
void unpack(const uint8_t* packed, uint8_t* plain) {
  for (size_t v = 0; v < kParts; ++v) {
    const B c = V::load_bytes(packed + v * kBytes);
    V::store_bytes(plain + v * kBytes, V::low(c));
    V::store_bytes(plain + 64 + v * kBytes, V::high(c));
  }
}

float expand_u4(const uint8_t* code, const float* base, const float* slope, const float* weight, size_t blocks,
                int8_t* query) {
  alignas(64) uint8_t plain[128];
  F total = V::zero();
  for (size_t b = 0; b < blocks; ++b) {
    unpack(code + b * 64, plain);
    for (size_t i = 0; i < 128; i += kLanes) {
      const F c = V::from_u8(plain + i);
      const size_t at = b * 128 + i;
      V::store_s8(query + at, V::round(V::fma(V::load(slope + at), c, V::load(base + at))));
      total = V::fma(V::load(weight + at), c, total);
    }
  }
  return V::sum(total);
}

void decode_block(const uint8_t* code, const uint8_t* rest, F middle, F scale, const float* centre, const float* step,
                  float* out) {
  alignas(64) uint8_t plain[128];
  unpack(code, plain);
  for (size_t i = 0; i < 128; i += kLanes) {
    const F c = V::sub(V::from_u8(plain + i), V::set1(7.5F));
    const F r = V::sub(V::from_u8(rest + i), middle);
    V::store(out + i, V::fma(V::load(step + i), V::fma(scale, r, c), V::load(centre + i)));
  }
}

void decode_r8(const uint8_t* code, const uint8_t* residual, float scale, const float* centre, const float* step,
               size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b) {
    const size_t at = b * 128;
    decode_block(code + b * 64, residual + at, V::set1(128.0F), V::set1(scale), centre + at, step + at, out + at);
  }
}

void decode_r4(const uint8_t* code, const uint8_t* residual, float scale, const float* centre, const float* step,
               size_t blocks, float* out) {
  alignas(64) uint8_t rest[128];
  for (size_t b = 0; b < blocks; ++b) {
    const size_t at = b * 128;
    unpack(residual + b * 64, rest);
    decode_block(code + b * 64, rest, V::set1(7.5F), V::set1(scale), centre + at, step + at, out + at);
  }
}

constexpr KernelTable table_for(const char* name) {
  return {
      name,
      {pair<FromF32, Dot>, pair<FromF32, L2>, moments<FromF32>},
      {pair<FromF16, Dot>, pair<FromF16, L2>, moments<FromF16>},
      {pair<FromBf16, Dot>, pair<FromBf16, L2>, moments<FromBf16>},
      f16_mixed,
      {code_dot<SignedBytes, int8_t>, code_moments<SignedBytes, int8_t>},
      {code_dot<Nibbles, uint8_t>, code_moments<Nibbles, uint8_t>},
      hamming,
      scan<Dot>,
      scan<L2>,
      scan_cosine,
      V::kTileRows,
      V::kTileVectors * kLanes,
      tile<Dot>,
      tile<L2>,
      largest,
      split,
      score_u4,
      scan_u4,
      refine_r8,
      refine_r4,
      expand_u4,
      decode_r8,
      decode_r4,
  };
}

}  // namespace
}  // namespace mastra::kernels
