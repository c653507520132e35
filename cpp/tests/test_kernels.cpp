// Every kernel of this machine against double precision: lengths 0..257, odd offsets, special values,
// and buffers that end at an unreadable page.
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "kernels/dispatch.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

using mastra::kernels::KernelTable;

namespace {

// Memory whose last byte lies before an unreadable page; `at(n)` ends exactly there.
class Guarded {
 public:
  explicit Guarded(std::size_t bytes) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    size_ = (bytes + page - 1) / page * page;
    base_ = static_cast<std::uint8_t*>(
        mmap(nullptr, size_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + size_, page, PROT_NONE);
  }
  template <class T>
  T* at(std::size_t n, std::size_t offset = 0) {
    return reinterpret_cast<T*>(base_ + size_ - (n + offset) * sizeof(T));
  }

 private:
  std::uint8_t* base_;
  std::size_t size_;
};

std::uint16_t to_bf16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return static_cast<std::uint16_t>(bits >> 16U);
}
float from_bf16(std::uint16_t h) {
  const std::uint32_t bits = static_cast<std::uint32_t>(h) << 16U;
  float out;
  std::memcpy(&out, &bits, 4);
  return out;
}
double from_f16(std::uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const int fraction = h & 1023;
  const double sign = (h & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

bool close(double got, double want, double scale) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::fabs(got - want) <= 1e-6 + 3e-6 * (std::isfinite(scale) ? scale : std::fabs(want));
}

struct Sums {
  double dot = 0, l2 = 0, aa = 0, bb = 0, magnitude = 0;
};

template <class A, class Decode>
Sums reference(const A* a, const A* b, std::size_t n, Decode decode) {
  Sums out;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = decode(a[i]), y = decode(b[i]);
    out.dot += x * y;
    out.l2 += (x - y) * (x - y);
    out.aa += x * x;
    out.bb += y * y;
    out.magnitude += std::fabs(x * y) + x * x + y * y;
  }
  return out;
}

template <class T, class Decode>
void check_floats(const mastra::kernels::FloatKernels<T>& table, const T* a, const T* b, std::size_t n,
                  Decode decode) {
  const Sums want = reference(a, b, n, decode);
  CHECK(close(table.dot(a, b, n), want.dot, want.magnitude));
  CHECK(close(table.l2(a, b, n), want.l2, want.magnitude));
  float sums[3];
  table.moments(a, b, n, sums);
  CHECK(close(sums[0], want.dot, want.magnitude));
  CHECK(close(sums[1], want.aa, want.magnitude));
  CHECK(close(sums[2], want.bb, want.magnitude));
}

template <class Visit>
void for_lengths(Visit visit) {
  for (const KernelTable* table : mastra::kernels::all()) {
    for (std::size_t n = 0; n <= 257; ++n) {
      for (std::size_t offset : {std::size_t{0}, std::size_t{1}, std::size_t{3}}) visit(*table, n, offset);
    }
  }
}

std::mt19937& random_source() {
  static std::mt19937 source(7);
  return source;
}

double plain(float x) { return x; }

}  // namespace

TEST(f32_agrees_with_double_precision) {
  Guarded left(8192), right(8192);
  std::normal_distribution<float> normal;
  for_lengths([&](const KernelTable& table, std::size_t n, std::size_t offset) {
    float* a = left.at<float>(n, offset);
    float* b = right.at<float>(n);
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = normal(random_source());
      b[i] = normal(random_source());
    }
    check_floats(table.f32, a, b, n, plain);
  });
}

TEST(half_and_brain_floats_agree_with_double_precision) {
  Guarded left(8192), right(8192);
  std::normal_distribution<float> normal;
  for_lengths([&](const KernelTable& table, std::size_t n, std::size_t offset) {
    std::uint16_t* a = left.at<std::uint16_t>(n, offset);
    std::uint16_t* b = right.at<std::uint16_t>(n);
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = to_bf16(normal(random_source()));
      b[i] = to_bf16(normal(random_source()));
    }
    check_floats(table.bf16, a, b, n, [](std::uint16_t h) { return static_cast<double>(from_bf16(h)); });
    for (std::size_t i = 0; i < n; ++i) {  // every finite pattern below 2^4, denormals too
      a[i] = static_cast<std::uint16_t>((random_source()() % 0x4c00U) | (random_source()() % 2 << 15U));
      b[i] = static_cast<std::uint16_t>((random_source()() % 0x4c00U) | (random_source()() % 2 << 15U));
    }
    check_floats(table.f16, a, b, n, from_f16);
    std::vector<float> wide(n);
    for (std::size_t i = 0; i < n; ++i) wide[i] = static_cast<float>(from_f16(a[i]));
    const Sums want = reference(a, b, n, from_f16);
    CHECK(close(table.f16_mixed(wide.data(), b, n), want.dot, want.magnitude));
  });
}

TEST(special_values_follow_ieee) {
  const float special[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                           -std::numeric_limits<float>::infinity(), FLT_MIN / 4, 0.0F, -0.0F};
  for (const KernelTable* table : mastra::kernels::all()) {
    for (const float value : special) {
      for (std::size_t n : {std::size_t{1}, std::size_t{5}, std::size_t{16}, std::size_t{33}, std::size_t{100}}) {
        for (std::size_t at = 0; at < n; at += 3) {
          std::vector<float> a(n, 1.0F), b(n, 0.5F);
          a[at] = value;
          check_floats(table->f32, a.data(), b.data(), n, plain);
        }
      }
    }
    const std::uint16_t half_nan[1] = {0x7e00}, half_inf[1] = {0x7c00}, one[1] = {0x3c00};
    CHECK(std::isnan(table->f16.dot(half_nan, one, 1)));
    CHECK(std::isinf(table->f16.dot(half_inf, one, 1)));
    std::vector<float> tiny(64, FLT_MIN / 2), big(64, 1e30F);
    CHECK(close(table->f32.dot(tiny.data(), big.data(), 64), 64.0 * (FLT_MIN / 2.0) * 1e30, 1e-6));
  }
}

TEST(integer_codes_are_exact) {
  Guarded left(8192), right(8192);
  for_lengths([&](const KernelTable& table, std::size_t n, std::size_t offset) {
    std::int8_t* a = left.at<std::int8_t>(n, offset);
    std::int8_t* b = right.at<std::int8_t>(n);
    std::int64_t dot = 0, aa = 0, bb = 0, nibbles = 0, naa = 0, nbb = 0;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = static_cast<std::int8_t>(n % 7 == 0 ? -128 : static_cast<int>(random_source()() % 256) - 128);
      b[i] = static_cast<std::int8_t>(n % 11 == 0 ? -128 : static_cast<int>(random_source()() % 256) - 128);
      dot += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
      const int x = static_cast<std::uint8_t>(a[i]), y = static_cast<std::uint8_t>(b[i]);
      nibbles += (x & 15) * (y & 15) + (x >> 4) * (y >> 4);
      naa += (x & 15) * (x & 15) + (x >> 4) * (x >> 4);
      nbb += (y & 15) * (y & 15) + (y >> 4) * (y >> 4);
      for (int d = x ^ y; d != 0; d >>= 1) bits += static_cast<std::uint64_t>(d & 1);
    }
    const auto* ua = reinterpret_cast<std::uint8_t*>(a);
    const auto* ub = reinterpret_cast<std::uint8_t*>(b);
    std::int64_t sums[3];
    CHECK(table.i8.dot(a, b, n) == dot);
    table.i8.moments(a, b, n, sums);
    CHECK(sums[0] == dot && sums[1] == aa && sums[2] == bb);
    CHECK(table.u4.dot(ua, ub, n) == nibbles);
    table.u4.moments(ua, ub, n, sums);
    CHECK(sums[0] == nibbles && sums[1] == naa && sums[2] == nbb);
    CHECK(table.hamming(ua, ub, n) == bits);
  });
}

TEST(the_longest_integer_rows_do_not_overflow) {
  std::vector<std::int8_t> a(65536, -128);
  std::vector<std::uint8_t> nibbles(65536, 0xff);
  for (const KernelTable* table : mastra::kernels::all()) {
    CHECK(table->i8.dot(a.data(), a.data(), a.size()) == 65536LL * 128 * 128);
    CHECK(table->u4.dot(nibbles.data(), nibbles.data(), nibbles.size()) == 65536LL * 2 * 225);
  }
}

TEST(scans_agree_with_pairs) {
  std::normal_distribution<float> normal;
  for (const KernelTable* table : mastra::kernels::all()) {
    for (std::size_t n : {1, 7, 16, 31, 96, 100, 257}) {
      for (std::size_t count : {0, 1, 4, 7, 13}) {
        Guarded memory((n + 3) * (count + 1) * sizeof(float)), query_memory(n * sizeof(float));
        const std::size_t stride = n + 3;
        const std::size_t used = count == 0 ? 0 : (count - 1) * stride + n;
        float* rows = memory.at<float>(used);
        float* query = query_memory.at<float>(n);
        for (std::size_t i = 0; i < used; ++i) rows[i] = normal(random_source());
        for (std::size_t i = 0; i < n; ++i) query[i] = normal(random_source());
        std::vector<float> dots(count), squares(count), both(2 * count);
        table->scan_dot(query, rows, stride, count, n, dots.data());
        table->scan_l2(query, rows, stride, count, n, squares.data());
        table->scan_cosine(query, rows, stride, count, n, both.data());
        for (std::size_t r = 0; r < count; ++r) {
          const Sums want = reference(query, rows + r * stride, n, plain);
          CHECK(close(dots[r], want.dot, want.magnitude));
          CHECK(close(squares[r], want.l2, want.magnitude));
          CHECK(close(both[2 * r], want.dot, want.magnitude));
          CHECK(close(both[2 * r + 1], want.bb, want.magnitude));
        }
      }
    }
  }
}

TEST(tiles_agree_with_pairs) {
  std::normal_distribution<float> normal;
  for (const KernelTable* table : mastra::kernels::all()) {
    for (std::size_t n : {1, 5, 64, 129}) {
      const std::size_t high = table->tile_rows, wide = table->tile_queries;
      std::vector<float> panel(n * wide), out(high * wide), out2(high * wide);
      Guarded memory(high * n * sizeof(float));
      float* rows = memory.at<float>(high * n);
      for (float& x : panel) x = normal(random_source());
      for (std::size_t i = 0; i < high * n; ++i) rows[i] = normal(random_source());
      table->tile_dot(panel.data(), rows, n, n, out.data());
      table->tile_l2(panel.data(), rows, n, n, out2.data());
      for (std::size_t r = 0; r < high; ++r) {
        for (std::size_t q = 0; q < wide; ++q) {
          std::vector<float> query(n);
          for (std::size_t j = 0; j < n; ++j) query[j] = panel[j * wide + q];
          const Sums want = reference(query.data(), rows + r * n, n, plain);
          CHECK(close(out[r * wide + q], want.dot, want.magnitude));
          CHECK(close(out2[r * wide + q], want.l2, want.magnitude));
        }
      }
    }
  }
}

namespace {

// Codes of `rows` rows and a query, with the plain values beside them.
struct CodeCase {
  std::size_t blocks, dims;
  std::vector<std::int8_t> hi, lo;
  std::vector<std::uint8_t> codes, plain;

  CodeCase(std::size_t blocks_, std::size_t rows) : blocks(blocks_), dims(128 * blocks_) {
    hi.resize(dims);
    lo.resize(dims);
    codes.assign(rows * blocks * 64, 0);
    plain.resize(rows * dims);
    for (std::size_t j = 0; j < dims; ++j) {
      hi[j] = static_cast<std::int8_t>(static_cast<int>(random_source()() % 256) - 128);
      lo[j] = static_cast<std::int8_t>(static_cast<int>(random_source()() % 256) - 128);
    }
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t j = 0; j < dims; ++j) {
        const unsigned c = random_source()() % 16;
        plain[r * dims + j] = static_cast<std::uint8_t>(c);
        std::uint8_t& byte = codes[r * blocks * 64 + j / 128 * 64 + j % 64];
        byte = static_cast<std::uint8_t>(byte | (j % 128 < 64 ? c : c << 4U));
      }
    }
  }
  [[nodiscard]] std::int64_t coarse(std::size_t row) const {
    std::int64_t sum = 0;
    for (std::size_t j = 0; j < dims; ++j) sum += hi[j] * plain[row * dims + j];
    return sum;
  }
  [[nodiscard]] std::int64_t fine(std::size_t row) const {
    std::int64_t sum = 0;
    for (std::size_t j = 0; j < dims; ++j) sum += (256 * hi[j] + lo[j]) * plain[row * dims + j];
    return sum;
  }
};

}  // namespace

TEST(code_scores_are_exact) {
  for (const KernelTable* table : mastra::kernels::all()) {
    for (std::size_t blocks : {1, 2, 3, 4, 5, 6, 8, 12}) {
      const CodeCase data(blocks, 11);
      for (std::size_t count : {1, 3, 4, 5, 8, 11}) {
        const std::uint32_t slots[] = {10, 3, 0, 7, 7, 1, 9, 2, 4, 6, 5};
        std::vector<std::int32_t> out((count + 3) / 4 * 4);
        table->score_u4(data.hi.data(), data.codes.data(), blocks, slots, count, out.data());
        for (std::size_t i = 0; i < count; ++i) CHECK(out[i] == data.coarse(slots[i]));
        table->scan_u4(data.hi.data(), data.codes.data(), blocks, count, out.data());
        for (std::size_t i = 0; i < count; ++i) CHECK(out[i] == data.coarse(i));
      }
    }
  }
}

TEST(refinement_is_exact) {
  for (const KernelTable* table : mastra::kernels::all()) {
    for (std::size_t blocks : {1, 3, 12}) {
      const CodeCase data(blocks, 2);
      std::int32_t hi_sum = 0, lo_sum = 0;
      std::int64_t wide8 = 0;
      std::vector<std::uint8_t> residual(data.dims);
      for (std::size_t j = 0; j < data.dims; ++j) {
        residual[j] = static_cast<std::uint8_t>(random_source()() % 256);
        hi_sum += data.hi[j];
        lo_sum += data.lo[j];
        wide8 += (256 * data.hi[j] + data.lo[j]) * (static_cast<int>(residual[j]) - 128);
      }
      const mastra::kernels::SplitQuery query{data.hi.data(), data.lo.data(), hi_sum, lo_sum};
      float out[2];
      table->refine_r8(&query, data.codes.data(), residual.data(), blocks, out);
      CHECK(out[0] == static_cast<float>(data.fine(0)));
      CHECK(out[1] == static_cast<float>(wide8));
      table->refine_r4(&query, data.codes.data(), data.codes.data() + blocks * 64, blocks, out);
      CHECK(out[0] == static_cast<float>(data.fine(0)));
      CHECK(out[1] == static_cast<float>(data.fine(1)));
    }
  }
}

TEST(queries_split_into_two_bytes_and_codes_expand) {
  std::normal_distribution<float> normal;
  for (const KernelTable* table : mastra::kernels::all()) {
    for (std::size_t n : {1, 5, 64, 100, 384}) {
      std::vector<float> x(n), step(n);
      float top = 0;
      for (std::size_t j = 0; j < n; ++j) {
        x[j] = normal(random_source());
        step[j] = 0.5F + static_cast<float>(random_source()() % 100) / 100;
        top = std::max(top, std::fabs(x[j] * step[j]));
      }
      CHECK(close(table->largest(x.data(), step.data(), n), top, top));
      const float scale = 32512.0F / top;
      std::vector<std::int8_t> hi(n + 64), lo(n + 64);
      table->split(x.data(), step.data(), scale, n, hi.data(), lo.data());
      for (std::size_t j = 0; j < n; ++j) {
        CHECK(std::fabs(256 * hi[j] + lo[j] - static_cast<double>(x[j]) * step[j] * scale) <= 1.6);
      }
    }
    const CodeCase data(3, 1);
    std::vector<float> base(data.dims), slope(data.dims), weight(data.dims);
    double total = 0;
    for (std::size_t j = 0; j < data.dims; ++j) {
      base[j] = normal(random_source()) * 20;
      slope[j] = normal(random_source());
      weight[j] = normal(random_source());
      total += static_cast<double>(weight[j]) * data.plain[j];
    }
    std::vector<std::int8_t> query(data.dims);
    CHECK(close(table->expand_u4(data.codes.data(), base.data(), slope.data(), weight.data(), 3, query.data()), total,
                8000));
    for (std::size_t j = 0; j < data.dims; ++j) {
      const double want = base[j] + static_cast<double>(slope[j]) * data.plain[j];
      CHECK(std::fabs(query[j] - std::fmin(127.0, std::fmax(-128.0, want))) <= 0.51);
    }
  }
}

TEST(codes_and_residuals_become_rows_again) {
  std::normal_distribution<float> normal;
  for (const KernelTable* table : mastra::kernels::all()) {
    for (std::size_t blocks : {1, 3, 12}) {
      const CodeCase code(blocks, 1), four(blocks, 1);
      std::vector<std::uint8_t> eight(code.dims);
      std::vector<float> centre(code.dims), step(code.dims), out8(code.dims), out4(code.dims);
      for (std::size_t j = 0; j < code.dims; ++j) {
        eight[j] = static_cast<std::uint8_t>(random_source()() % 256);
        centre[j] = normal(random_source());
        step[j] = std::fabs(normal(random_source()));
      }
      const float scale = 0.004F;
      table->decode_r8(code.codes.data(), eight.data(), scale, centre.data(), step.data(), blocks, out8.data());
      table->decode_r4(code.codes.data(), four.codes.data(), scale, centre.data(), step.data(), blocks, out4.data());
      for (std::size_t j = 0; j < code.dims; ++j) {
        const double on_grid = code.plain[j] - 7.5;
        CHECK(close(out8[j], centre[j] + step[j] * (on_grid + scale * (eight[j] - 128.0)), 30));
        CHECK(close(out4[j], centre[j] + step[j] * (on_grid + scale * (four.plain[j] - 7.5)), 30));
      }
    }
  }
}

TEST(a_forced_kernel_is_the_active_one) {
  const char* forced = std::getenv("MASTRA_KERNEL");
  if (forced != nullptr && *forced != '\0') {
    CHECK(std::string(mastra::kernels::active().name) == forced);
  } else {
    CHECK(&mastra::kernels::active() == mastra::kernels::all().front());
  }
  CHECK_THROWS(mastra::ErrorCode::kInvalidArgument, mastra::kernels::named("abacus"));
  CHECK(std::string(mastra::kernels::all().back()->name) == "scalar");
}

TEST_MAIN()
