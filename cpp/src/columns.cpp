#include "columns.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "atomics.hpp"

namespace mastra {
namespace {

// Nearest f16, half to even; what is too large becomes the largest finite one.
std::uint16_t to_half(float x) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>((bits >> 16U) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7bffU);
  if (magnitude < 0x38800000U) {  // below 2^-14: a multiple of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 16777216.0F;
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyint(scaled)));
  }
  const std::uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13U) & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13U));
}

float from_half(std::uint16_t h) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000U) << 16U;
  const std::uint32_t exponent = (h >> 10U) & 31U;
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23U) | ((h & 1023U) << 13U));
  const float small = static_cast<float>(h & 1023U) * 5.9604644775390625e-8F;
  return sign != 0 ? -small : small;
}

}  // namespace

Columns::Columns(std::size_t dim, Metric metric_, Storage storage_)
    : metric(metric_),
      storage(storage_),
      residual_kind(storage_ == Storage::kDefault   ? Residual::kEight
                    : storage_ == Storage::kCompact ? Residual::kFour
                                                    : Residual::kNone),
      raw_width(dim) {
  const std::size_t blocks = (dim + 127) / 128;
  constexpr MemoryCategory kCodes = MemoryCategory::kCodes;
  codes = Arena(blocks * 64, kCodes);
  const std::size_t residual_bytes = residual_kind == Residual::kEight  ? blocks * 128
                                     : residual_kind == Residual::kFour ? blocks * 64
                                                                        : 0;
  residuals = Arena(residual_bytes, kCodes);
  scales = Arena(residual_kind == Residual::kNone ? 0 : sizeof(float), kCodes);
  extra = Arena(sizeof(float), kCodes);
  norms = Arena(sizeof(float), kCodes);
  ids = Arena(sizeof(std::uint64_t), MemoryCategory::kOther);
  links = Arena(kDegree * sizeof(std::uint32_t), MemoryCategory::kLinks);
  raw = Arena(storage == Storage::kF32 ? dim * sizeof(float) : storage == Storage::kF16 ? dim * 2 : 0, kCodes);
  dead = Arena(sizeof(std::uint64_t));
}

Columns& Columns::operator=(Columns&& other) noexcept {
  std::swap(codes, other.codes);
  std::swap(residuals, other.residuals);
  std::swap(scales, other.scales);
  std::swap(extra, other.extra);
  std::swap(norms, other.norms);
  std::swap(ids, other.ids);
  std::swap(links, other.links);
  std::swap(raw, other.raw);
  std::swap(dead, other.dead);
  rows.store(other.rows.load(std::memory_order_relaxed), std::memory_order_release);
  return *this;
}

void Columns::grow(std::size_t wanted) {
  for (Arena* each : {&codes, &residuals, &scales, &extra, &norms, &ids, &links, &raw}) each->grow(wanted);
  dead.grow((wanted + 63) / 64);
}

float Columns::write(const kernels::KernelTable& table, const Grid& grid, std::size_t slot, const float* x) const {
  std::vector<float> unit;
  const float* from = x;
  if (metric == Metric::kCosine) {
    const double square = square_of(table, x, raw_width);
    const double inverse = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
    unit.resize(raw_width);
    for (std::size_t j = 0; j < raw_width; ++j) unit[j] = static_cast<float>(x[j] * inverse);
    from = unit.data();
    fact(slot) = static_cast<float>(std::sqrt(square));
  }
  if (storage == Storage::kF32) std::copy(x, x + raw_width, raw.as<float>() + slot * raw_width);
  if (storage == Storage::kF16) {  // of length 1 under cosine: halves hold neither small nor large rows
    for (std::size_t j = 0; j < raw_width; ++j) raw.as<std::uint16_t>()[slot * raw_width + j] = to_half(from[j]);
  }
  return encode(table, grid, slot, from);
}

float Columns::encode(const kernels::KernelTable& table, const Grid& grid, std::size_t slot, const float* x) const {
  const Grid::Encoded made = grid.encode(x, residual_kind, codes.row(slot), residuals.row(slot));
  norm(slot) = grid.code_norm(codes.row(slot));
  if (residual_kind != Residual::kNone) scale(slot) = made.scale;
  if (metric == Metric::kCosine) return made.reach;
  std::vector<float> stored(raw_width);
  read(table, grid, slot, stored.data());
  if (metric == Metric::kL2 && residual_kind != Residual::kNone) grid.shift(stored.data(), stored.data());
  fact(slot) = table.f32.dot(stored.data(), stored.data(), raw_width);
  return made.reach;
}

void Columns::read(const kernels::KernelTable& table, const Grid& grid, std::size_t slot, float* out) const {
  const std::size_t at = slot * raw_width;
  if (residual_kind != Residual::kNone) {
    grid.decode(table, codes.row(slot), residuals.row(slot), residual_kind, scale(slot), out);
  } else if (storage == Storage::kF16) {
    for (std::size_t j = 0; j < raw_width; ++j) out[j] = from_half(raw.as<std::uint16_t>()[at + j]);
  } else {
    const float length = metric == Metric::kCosine && fact(slot) > 0.0F ? fact(slot) : 1.0F;
    for (std::size_t j = 0; j < raw_width; ++j) out[j] = raw.as<float>()[at + j] / length;
  }
}

void Columns::original(const kernels::KernelTable& table, const Grid& grid, std::size_t slot, float* out) const {
  if (storage == Storage::kF32) {
    std::copy_n(raw.as<float>() + slot * raw_width, raw_width, out);
    return;
  }
  read(table, grid, slot, out);
  if (metric != Metric::kCosine) return;
  for (std::size_t j = 0; j < raw_width; ++j) out[j] *= fact(slot);
}

double square_of(const kernels::KernelTable& table, const float* x, std::size_t dim) {
  const float quick = table.f32.dot(x, x, dim);
  if (!(quick < 1e-20F)) return quick;  // not a number, too: the caller looks
  double sum = 0.0;
  for (std::size_t j = 0; j < dim; ++j) sum += static_cast<double>(x[j]) * x[j];
  return sum;
}

float Scorer::fine(const FoldedQuery& query, std::size_t slot) const noexcept {
  const Columns& c = *columns_;
  const std::size_t dim = c.raw_width;
  if (c.residual_kind == Residual::kNone) {
    // Floats are as the caller gave them, and cosine divides by their length; halves have it divided out.
    float product = 0.0F;
    if (c.storage == Storage::kF16) {
      product = table_->f16_mixed(query.plain, c.raw.as<std::uint16_t>() + slot * dim, dim);
    } else if (c.metric == Metric::kL2) {
      return query.plain_square - table_->f32.l2(query.plain, c.raw.as<float>() + slot * dim, dim);
    } else {
      product = table_->f32.dot(query.plain, c.raw.as<float>() + slot * dim, dim);
    }
    if (c.metric == Metric::kCosine) {
      if (c.storage == Storage::kF16) return product;
      return c.fact(slot) > 0.0F ? product / c.fact(slot) : 0.0F;
    }
    return c.metric == Metric::kL2 ? 2.0F * product - c.fact(slot) : product;
  }
  const kernels::SplitQuery split = query.split();
  float sums[2];
  if (c.residual_kind == Residual::kEight) {
    table_->refine_r8(&split, c.codes.row(slot), c.residuals.row(slot), blocks_, sums);
  } else {
    table_->refine_r4(&split, c.codes.row(slot), c.residuals.row(slot), blocks_, sums);
    sums[1] -= 7.5F * (256.0F * static_cast<float>(query.hi_sum) + static_cast<float>(query.lo_sum));
  }
  const float product = query.offset + query.fine * (sums[0] + c.scale(slot) * sums[1]);
  return c.metric == Metric::kL2 ? 2.0F * product - c.fact(slot) : product;
}

void Scorer::prefetch_fine(std::size_t slot) const noexcept {
  const Columns& c = *columns_;
  const Arena& from = c.residual_kind == Residual::kNone ? c.raw : c.residuals;
  const std::uint8_t* at = from.row(slot);
  for (std::size_t i = 0; i < from.row_bytes(); i += 64) prefetch(at + i);
}

}  // namespace mastra
