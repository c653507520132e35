#include "grid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace mastra {
namespace {

constexpr float kTopQuery = 32512.0F;  // 127 * 256
constexpr float kMiddle = 7.5F;

float clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

unsigned nibble(const std::uint8_t* code, std::size_t j) {
  const std::uint8_t byte = code[j / 128 * 64 + j % 64];
  return j % 128 < 64 ? byte & 15U : byte >> 4U;
}

void set_nibble(std::uint8_t* code, std::size_t j, unsigned value) {
  std::uint8_t& byte = code[j / 128 * 64 + j % 64];
  byte = static_cast<std::uint8_t>(j % 128 < 64 ? (byte & 0xf0U) | value : (byte & 15U) | value << 4U);
}

// The squared error of one dimension's values on a grid of 16 steps over [low, high].
double grid_error(const std::vector<float>& values, float low, float high) {
  const float step = (high - low) / 15.0F;
  if (!(step > 0.0F)) return 0.0;
  const float inverse = 1.0F / step;
  double error = 0.0;
  for (const float v : values) {
    const float c = std::floor(clamp((v - low) * inverse, 0.0F, 15.0F) + 0.5F);
    const float d = v - (low + c * step);
    error += static_cast<double>(d) * d;
  }
  return error;
}

}  // namespace

Grid::Grid(std::size_t dim, Metric metric) : dim_(dim), blocks_((dim + 127) / 128), metric_(metric) {
  for (Aligned<float>* each : {&centre_, &step_, &inverse_, &base_, &slope_, &weight_}) each->assign(padded());
}

void Grid::fit(const float* rows, std::size_t count, std::size_t stride) {
  std::vector<float> values(count), means(dim_);
  for (std::size_t j = 0; j < dim_; ++j) {
    double sum = 0.0, squares = 0.0;
    float least = std::numeric_limits<float>::infinity(), most = -least;
    for (std::size_t i = 0; i < count; ++i) {
      const float v = rows[i * stride + j];
      values[i] = v;
      sum += v;
      squares += static_cast<double>(v) * v;
      least = std::min(least, v);
      most = std::max(most, v);
    }
    const double mean = sum / static_cast<double>(count);
    const double variance = std::max(0.0, squares / static_cast<double>(count) - mean * mean);
    const auto middle = static_cast<float>(mean);
    means[j] = middle;
    const auto sigma = static_cast<float>(std::sqrt(variance));
    float low = least, high = most;
    double error = grid_error(values, low, high);
    for (const float reach : {2.5F, 2.8F, 3.2F}) {
      const float a = std::max(least, middle - reach * sigma), b = std::min(most, middle + reach * sigma);
      const double e = grid_error(values, a, b);
      if (b > a && e < error) {
        error = e;
        low = a;
        high = b;
      }
    }
    centre_[j] = low + 0.5F * (high - low);
    step_[j] = (high - low) / 15.0F;
  }
  derive();
  put_means_on_levels(means, rows, count, stride);
}

// Rows much shorter than others lie all around the mean. Where that falls between two levels they are half a step
// from both; for such data the grid moves until the mean is a level, and their residuals become as fine as they are.
void Grid::put_means_on_levels(const std::vector<float>& means, const float* rows, std::size_t count,
                               std::size_t stride) {
  constexpr std::size_t kLooked = 1024;
  constexpr double kWorthwhile = 0.2;  // of the logarithm: typical data gain nothing and stay
  const std::size_t each = std::max<std::size_t>(1, count / kLooked);
  std::vector<float> shift(dim_);  // in steps
  for (std::size_t j = 0; j < dim_; ++j) {
    const float t = clamp((means[j] - centre_[j]) * inverse_[j] + kMiddle, 0.0F, 15.0F);
    shift[j] = t - std::floor(t + 0.5F);
  }
  double gain = 0.0;
  for (std::size_t i = 0; i < count; i += each) {
    float now = 1e-6F, moved = 1e-6F;
    for (std::size_t j = 0; j < dim_; ++j) {
      const float t = (rows[i * stride + j] - centre_[j]) * inverse_[j] + kMiddle;
      const float u = t - shift[j];
      now = std::max(now, std::fabs(t - std::floor(clamp(t, 0.0F, 15.0F) + 0.5F)));
      moved = std::max(moved, std::fabs(u - std::floor(clamp(u, 0.0F, 15.0F) + 0.5F)));
    }
    gain += std::log(static_cast<double>(now)) - std::log(static_cast<double>(moved));
  }
  if (gain < kWorthwhile * static_cast<double>((count + each - 1) / each)) return;
  for (std::size_t j = 0; j < dim_; ++j) centre_[j] += shift[j] * step_[j];
  derive();
}

bool Grid::restore(const float* centre, const float* step) {
  for (std::size_t j = 0; j < dim_; ++j) {
    if (!std::isfinite(centre[j]) || !std::isfinite(step[j]) || step[j] < 0.0F) return false;
    centre_[j] = centre[j];
    step_[j] = step[j];
  }
  derive();
  return true;
}

void Grid::derive() {
  float top = 0.0F;
  constant_ = 0.0F;
  for (std::size_t j = 0; j < dim_; ++j) {
    // A dimension that was constant when fitted still gets a step, so that the residual can hold what comes later.
    if (!(step_[j] > 0.0F)) step_[j] = std::max(1e-6F, std::fabs(centre_[j]) * 1e-3F);
    inverse_[j] = 1.0F / step_[j];
    top = std::max(top, step_[j] * step_[j]);
  }
  const float inverse = top > 0.0F ? 127.0F / (kMiddle * top) : 1.0F;
  expand_scale_ = 1.0F / inverse;
  for (std::size_t j = 0; j < dim_; ++j) {
    const float square = step_[j] * step_[j];
    slope_[j] = square * inverse;
    base_[j] = -kMiddle * square * inverse;
    weight_[j] = -kMiddle * square;
    constant_ += kMiddle * kMiddle * square;
  }
}

// The scale that loses least: a row that reaches beyond the grid in a few dimensions is better clipped there
// than coarse everywhere.
float Grid::four_bit_scale(const std::vector<float>& rest, float reach) const {
  float best = reach / kMiddle;
  double least = std::numeric_limits<double>::infinity();
  for (float part = 1.0F; part > 0.2F && part * reach > 0.3F; part *= 0.85F) {
    const float scale = part * reach / kMiddle, inverse = 1.0F / scale;
    double error = 0.0;
    for (std::size_t j = 0; j < dim_; ++j) {
      const float level = std::floor(clamp(rest[j] * inverse, -kMiddle, kMiddle - 0.5F)) + 0.5F;
      const float d = step_[j] * (rest[j] - scale * level);
      error += static_cast<double>(d) * d;
    }
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

// Rounding shifts a row along its own direction, too, and that shift meets every query near the row in full.
// Rounding a few dimensions the other way takes it out.
void Grid::straighten(const float* x, const std::vector<float>& rest, float scale, float top,
                      std::vector<float>& levels) const {
  double shift = 0.0;
  for (std::size_t j = 0; j < dim_; ++j) {
    shift += static_cast<double>(x[j]) * step_[j] * (scale * levels[j] - rest[j]);
  }
  const float inverse = 1.0F / scale;
  for (const float close : {0.35F, 0.15F, -0.5F}) {  // first where the other way is almost as near
    for (std::size_t j = 0; j < dim_; ++j) {
      const float gap = rest[j] * inverse - levels[j];
      if (std::fabs(gap) < close || std::fabs(gap) > 0.5F) continue;
      const float turn = gap >= 0.0F ? 1.0F : -1.0F;
      const double change = static_cast<double>(x[j]) * step_[j] * scale * turn;
      if (std::fabs(levels[j] + turn) > top || std::fabs(shift + change) >= std::fabs(shift)) continue;
      levels[j] += turn;
      shift += change;
    }
  }
}

Grid::Encoded Grid::encode(const float* x, Residual kind, std::uint8_t* code, std::uint8_t* residual) const {
  std::vector<float> rest(dim_);
  float reach = 0.0F;
  std::fill(code, code + blocks_ * 64, std::uint8_t{0});
  for (std::size_t j = 0; j < dim_; ++j) {
    const float t = (x[j] - centre_[j]) * inverse_[j] + kMiddle;
    const float c = std::floor(clamp(t, 0.0F, 15.0F) + 0.5F);
    set_nibble(code, j, static_cast<unsigned>(c));
    rest[j] = t - c;
    reach = std::max(reach, std::fabs(rest[j]));
  }
  if (kind == Residual::kNone) return {reach, 0.0F};
  const bool eight = kind == Residual::kEight;
  float scale = 1.0F;
  if (reach > 0.0F) scale = eight ? reach / 127.0F : four_bit_scale(rest, reach);
  const float inverse = 1.0F / scale;
  std::vector<float> levels(dim_);
  for (std::size_t j = 0; j < dim_; ++j) {
    levels[j] = eight ? clamp(std::floor(rest[j] * inverse + 0.5F), -127.0F, 127.0F)
                      : clamp(std::floor(rest[j] * inverse), -8.0F, 7.0F) + 0.5F;
  }
  if (metric_ != Metric::kL2 && reach > 0.0F) straighten(x, rest, scale, eight ? 127.0F : kMiddle, levels);
  if (eight) {
    std::fill(residual, residual + padded(), std::uint8_t{128});
    for (std::size_t j = 0; j < dim_; ++j) residual[j] = static_cast<std::uint8_t>(levels[j] + 128.0F);
  } else {
    std::fill(residual, residual + blocks_ * 64, std::uint8_t{0});
    for (std::size_t j = 0; j < dim_; ++j) set_nibble(residual, j, static_cast<unsigned>(levels[j] + kMiddle));
  }
  return {reach, scale};
}

void Grid::decode(const kernels::KernelTable& table, const std::uint8_t* code, const std::uint8_t* residual,
                  Residual kind, float scale, float* x) const {
  const auto kernel = kind == Residual::kEight ? table.decode_r8 : table.decode_r4;
  const std::size_t whole = dim_ / 128, rest = whole * 128;
  kernel(code, residual, scale, centre_.data(), step_.data(), whole, x);
  if (rest == dim_) return;
  float last[128];
  kernel(code + whole * 64, residual + whole * (kind == Residual::kEight ? 128 : 64), scale, centre_.data() + rest,
         step_.data() + rest, 1, last);
  std::copy_n(last, dim_ - rest, x + rest);
}

float Grid::code_norm(const std::uint8_t* code) const noexcept {
  float sum = 0.0F;
  for (std::size_t j = 0; j < dim_; ++j) {
    const float v = step_[j] * (static_cast<float>(nibble(code, j)) - kMiddle);
    sum += v * v;
  }
  return sum;
}

void Grid::shift(const float* x, float* out) const noexcept {
  for (std::size_t j = 0; j < dim_; ++j) out[j] = x[j] - centre_[j];
}

void Grid::fold(const kernels::KernelTable& table, const float* x, FoldedQuery& out) const {
  if (out.x.size() != padded()) {
    out.x.assign(padded());
    out.hi.assign(padded());
    out.lo.assign(padded());
  }
  float* const to = out.x.data();
  float centred = 0.0F;
  if (metric_ == Metric::kL2) {
    shift(x, to);
  } else {
    std::copy(x, x + dim_, to);
    centred = table.f32.dot(to, centre_.data(), dim_);
  }
  const float top = table.largest(to, step_.data(), dim_);
  const float scale = top > 1e-30F ? kTopQuery / top : 0.0F;
  table.split(to, step_.data(), scale, dim_, out.hi.data(), out.lo.data());
  std::int32_t hi = 0, lo = 0;
  for (std::size_t j = 0; j < dim_; ++j) {
    hi += out.hi[j];
    lo += out.lo[j];
  }
  out.hi_sum = hi;
  out.lo_sum = lo;
  out.fine = scale > 0.0F ? 1.0F / scale : 0.0F;
  out.coarse = 256.0F * out.fine;
  out.offset = centred - kMiddle * out.fine * (256.0F * static_cast<float>(hi) + static_cast<float>(lo));
  out.square = table.f32.dot(to, to, dim_);
  out.plain = x;
  out.plain_square = metric_ == Metric::kL2 ? table.f32.dot(x, x, dim_) : out.square;
  out.lift = 0.0F;
}

}  // namespace mastra
