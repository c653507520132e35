#include "mastra/exact_search.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/dispatch.hpp"
#include "mastra/error.hpp"
#include "parallel.hpp"
#include "top_k.hpp"

namespace mastra {
namespace {

constexpr std::size_t kFewQueries = 5;     // below: one pass over the rows each; above: register tiles
constexpr std::size_t kBlockBytes = 393216;  // rows kept in the second-level cache while panels pass by
constexpr std::size_t kStep = 64;          // rows scored before their scores are looked at

struct Job {
  Metric metric;
  MatrixView base;
  MatrixView queries;  // for cosine: normalised copies
  const kernels::KernelTable* table;
  std::vector<float> norms;  // of the queries; for l2 in tiles only
};

// Smaller is better for l2: kept negated until the end.
void scan_rows(const Job& job, const float* query, std::size_t begin, std::size_t end, TopK& best) {
  float scores[2 * kStep];
  const MatrixView& base = job.base;
  for (std::size_t at = begin; at < end; at += kStep) {
    const std::size_t count = std::min(kStep, end - at);
    const float* rows = base.data + at * base.stride;
    if (job.metric == Metric::kDot) {
      job.table->scan_dot(query, rows, base.stride, count, base.dim, scores);
    } else if (job.metric == Metric::kL2) {
      job.table->scan_l2(query, rows, base.stride, count, base.dim, scores);
      for (std::size_t i = 0; i < count; ++i) scores[i] = -scores[i];
    } else {
      job.table->scan_cosine(query, rows, base.stride, count, base.dim, scores);
      for (std::size_t i = 0; i < count; ++i) {
        const float dot = scores[2 * i];
        const float norm = scores[2 * i + 1];
        scores[i] = norm > 0.0F ? dot / std::sqrt(norm) : norm == norm ? 0.0F : norm;
      }
    }
    const float bar = best.bar();
    for (std::size_t i = 0; i < count; ++i) {
      if (scores[i] >= bar) best.push(scores[i], static_cast<std::uint32_t>(at + i));
    }
  }
}

// Queries side by side, dimension by dimension, in groups of tile_queries; the last group is padded with 0.
std::vector<float> panels_of(const Job& job) {
  const std::size_t wide = job.table->tile_queries;
  const std::size_t groups = (job.queries.rows + wide - 1) / wide;
  std::vector<float> out(groups * wide * job.queries.dim, 0.0F);
  for (std::size_t q = 0; q < job.queries.rows; ++q) {
    float* panel = out.data() + q / wide * wide * job.queries.dim + q % wide;
    const float* from = job.queries.data + q * job.queries.stride;
    for (std::size_t j = 0; j < job.queries.dim; ++j) panel[j * wide] = from[j];
  }
  return out;
}

// How what a tile gives is held against the best so far: `out * by - less >= bar`. For dot and cosine that is the
// score. For l2 it is a first look, and what passes is scored for itself:
//   by products     q.x - x.x / 2 >= (bar + q.q) / 2: a multiply-add a dimension, off by at most `slack` of both norms;
//   by differences  -|q - x|^2 >= bar: two operations a dimension, off by at most `slack` of itself.
struct Look {
  bool by_products = true;
  float slack = 0.0F;
  std::vector<float> by, less;  // a row each
};

constexpr float kLargestNorm = 1e30F;  // above, sums of norms may overflow where the distance does not
constexpr float kRounding = 5.9604645e-8F;
constexpr float kUnderflow = std::numeric_limits<float>::min();

// What the look of `query` must reach to enter `best`.
float look_bar(const Job& job, const Look& look, const TopK& best, std::size_t query) {
  const float bar = best.bar();
  if (job.metric != Metric::kL2) return bar;
  const float norm = job.norms[query];
  const float lost = kUnderflow * static_cast<float>(job.base.dim);
  if (!look.by_products) return bar * (1.0F + look.slack) - lost;
  return 0.5F * (bar + norm) - look.slack * norm - lost;
}

// Fills `look` for rows [begin, begin + count); norms too large for products are looked at by differences.
void prepare_look(const Job& job, std::size_t begin, std::size_t count, Look& look) {
  look.by.assign(count, 1.0F);
  look.less.assign(count, 0.0F);
  if (job.metric == Metric::kDot) return;
  look.slack = 3.0F * kRounding * static_cast<float>(job.base.dim + 4);
  float largest = 0.0F;
  for (const float norm : job.norms) largest = norm > largest ? norm : largest;
  for (std::size_t i = 0; i < count && look.by_products; ++i) {
    const float* row = job.base.data + (begin + i) * job.base.stride;
    const float norm = job.table->f32.dot(row, row, job.base.dim);
    if (job.metric == Metric::kCosine) {
      look.by[i] = norm > 0.0F ? 1.0F / std::sqrt(norm) : norm == norm ? 0.0F : norm;
    } else {
      look.less[i] = norm * (0.5F - look.slack);
      look.by_products = norm < kLargestNorm && largest < kLargestNorm;
    }
  }
  if (look.by_products) return;
  look.by.assign(count, -1.0F);
  look.less.assign(count, 0.0F);
}

// A group of queries that stand side by side in a panel; without a query the bar is infinite.
struct Group {
  std::size_t first;
  TopK* best;
  std::vector<float> bars;
};

// Returns how many rows passed the look and were not among the best.
std::size_t take_tile(const Job& job, const Look& look, const float* out, std::size_t at, std::size_t row,
                      Group& group) {
  const std::size_t wide = job.table->tile_queries;
  float* bars = group.bars.data();
  std::size_t wasted = 0;
  for (std::size_t r = 0; r < job.table->tile_rows; ++r) {
    const float* scores = out + r * wide;
    const float by = look.by[at + r];
    const float less = look.less[at + r];
    unsigned enter = 0;  // hardly ever: looked at together, in vector code
    for (std::size_t q = 0; q < wide; ++q) enter |= static_cast<unsigned>(scores[q] * by - less >= bars[q]);
    if (enter == 0) continue;
    for (std::size_t q = 0; q < wide; ++q) {
      float score = scores[q] * by - less;
      if (!(score >= bars[q])) continue;
      if (job.metric == Metric::kL2) {
        const float* query = job.queries.data + (group.first + q) * job.queries.stride;
        score = -job.table->f32.l2(query, job.base.data + (row + r) * job.base.stride, job.base.dim);
        wasted += static_cast<std::size_t>(!(score >= group.best[q].bar()));
      }
      group.best[q].push(score, static_cast<std::uint32_t>(row + r));
      bars[q] = look_bar(job, look, group.best[q], group.first + q);
    }
  }
  return wasted;
}

// `products` is given up for good where looks by products waste time: rows far from the origin, close to one another.
void tile_rows(const Job& job, const std::vector<float>& panels, std::size_t begin, std::size_t end, TopK* best,
               char& products) {
  const std::size_t wide = job.table->tile_queries;
  const std::size_t high = job.table->tile_rows;
  const std::size_t groups = (job.queries.rows + wide - 1) / wide;
  const MatrixView& base = job.base;
  const std::size_t tiles = (end - begin) / high;
  Look look;
  look.by_products = products != 0;
  prepare_look(job, begin, tiles * high, look);
  const auto kernel = look.by_products ? job.table->tile_dot : job.table->tile_l2;
  std::vector<float> out(high * wide);
  Group group{0, best, std::vector<float>(wide)};
  std::size_t wasted = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    const float* panel = panels.data() + g * wide * base.dim;
    group.first = g * wide;
    group.best = best + group.first;
    const std::size_t live = std::min(wide, job.queries.rows - group.first);
    std::fill(group.bars.begin(), group.bars.end(), std::numeric_limits<float>::infinity());
    for (std::size_t q = 0; q < live; ++q) {
      group.bars[q] = look_bar(job, look, group.best[q], group.first + q);
    }
    for (std::size_t t = 0; t < tiles; ++t) {
      const std::size_t row = begin + t * high;
      kernel(panel, base.data + row * base.stride, base.stride, base.dim, out.data());
      wasted += take_tile(job, look, out.data(), t * high, row, group);
    }
  }
  if (wasted > tiles * high * job.queries.rows / 16) products = 0;
  for (std::size_t q = 0; q < job.queries.rows; ++q) {  // the few rows that fill no tile
    scan_rows(job, job.queries.data + q * job.queries.stride, begin + tiles * high, end, best[q]);
  }
}

std::vector<float> norms_of(const Job& job) {
  std::vector<float> out;
  for (std::size_t q = 0; q < job.queries.rows; ++q) {
    const float* query = job.queries.data + q * job.queries.stride;
    out.push_back(job.table->f32.dot(query, query, job.queries.dim));
  }
  return out;
}

void check(const MatrixView& base, const MatrixView& queries, std::size_t k) {
  if (base.dim != queries.dim || base.dim == 0 || base.dim > kMaxDim) {
    throw Error(ErrorCode::kDimensionMismatch, "The queries have " + std::to_string(queries.dim) +
                                                   " dimensions, the rows have " + std::to_string(base.dim) + ".");
  }
  if (k == 0) throw Error(ErrorCode::kInvalidArgument, "k must be at least 1.");
  if (base.rows > 0xfffffffeULL) throw Error(ErrorCode::kLimit, "At most 2^32 - 2 rows can be searched.");
  for (std::size_t q = 0; q < queries.rows; ++q) {
    const float* row = queries.data + q * queries.stride;
    for (std::size_t j = 0; j < queries.dim; ++j) {
      if (!std::isfinite(row[j])) {
        throw Error(ErrorCode::kInvalidArgument, "Query " + std::to_string(q) + " is not finite in dimension " +
                                                     std::to_string(j) + ".");
      }
    }
  }
}

std::vector<float> normalised(const MatrixView& queries) {
  std::vector<float> out(queries.rows * queries.dim);
  for (std::size_t q = 0; q < queries.rows; ++q) {
    const float* from = queries.data + q * queries.stride;
    double sum = 0.0;
    for (std::size_t j = 0; j < queries.dim; ++j) sum += static_cast<double>(from[j]) * from[j];
    const double scale = sum > 0.0 ? 1.0 / std::sqrt(sum) : 0.0;
    for (std::size_t j = 0; j < queries.dim; ++j) {
      out[q * queries.dim + j] = static_cast<float>(from[j] * scale);
    }
  }
  return out;
}

}  // namespace

void exact_search(Metric metric, const MatrixView& base, const MatrixView& queries, std::size_t k,
                  std::size_t threads, std::uint64_t* ids, float* scores) {
  check(base, queries, k);
  k = std::min(k, base.rows);
  if (k == 0 || queries.rows == 0) return;
  Job job{metric, base, queries, &kernels::active(), {}};
  std::vector<float> copies;
  if (metric == Metric::kCosine) {
    copies = normalised(queries);
    job.queries = {copies.data(), queries.rows, queries.dim, queries.dim};
  }
  const bool tiles = queries.rows >= kFewQueries;
  const std::vector<float> panels = tiles ? panels_of(job) : std::vector<float>();
  if (tiles && metric == Metric::kL2) job.norms = norms_of(job);
  const std::size_t high = job.table->tile_rows;
  std::size_t grain = std::max<std::size_t>(high, kBlockBytes / (base.dim * sizeof(float)) / high * high);
  threads = std::max<std::size_t>(1, threads);
  if (!tiles) grain = std::max(grain, (base.rows + 4 * threads - 1) / (4 * threads));
  std::vector<TopK> best(threads * queries.rows);
  for (TopK& each : best) each.reset(k);
  std::vector<char> products(threads, 1);  // a thread each
  parallel_for(threads, base.rows, grain, [&](std::size_t thread, std::size_t begin, std::size_t end) {
    TopK* mine = best.data() + thread * queries.rows;
    if (tiles) return tile_rows(job, panels, begin, end, mine, products[thread]);
    for (std::size_t q = 0; q < queries.rows; ++q) {
      scan_rows(job, job.queries.data + q * job.queries.stride, begin, end, mine[q]);
    }
  });
  for (std::size_t q = 0; q < queries.rows; ++q) {
    TopK& into = best[q];
    for (std::size_t t = 1; t < threads; ++t) {
      for (const Scored& item : best[t * queries.rows + q].sorted()) into.push(item.score, item.row);
    }
    const std::vector<Scored>& found = into.sorted();
    if (found.size() < k) {
      throw Error(ErrorCode::kInvalidArgument,
                  "Too many rows hold NaN or overflow: only " + std::to_string(found.size()) + " have a score.");
    }
    for (std::size_t i = 0; i < k; ++i) {
      ids[q * k + i] = found[i].row;
      scores[q * k + i] = metric == Metric::kL2 ? -found[i].score : found[i].score;
    }
  }
}

}  // namespace mastra
