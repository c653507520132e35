// Searching: what a filter lets through, whether to walk or to scan, and the answer of one query.
#include <algorithm>
#include <bit>
#include <cmath>
#include <shared_mutex>
#include <string>

#include "atomics.hpp"
#include "index_state.hpp"
#include "mastra/error.hpp"
#include "parallel.hpp"

namespace mastra {
namespace {

constexpr double kGatherCost = 1.6;  // a row of a scan by list, in rows of a sequential scan
constexpr std::size_t kManyQueries = 16;            // enough to decode the rows of a filter for
constexpr std::size_t kMostDecoded = std::size_t{1} << 24U;  // floats
constexpr std::size_t kRun = 256;    // rows scored before their scores are looked at

void check_query(const MatrixView& queries, const IndexOptions& options, const kernels::KernelTable& table) {
  if (queries.dim != options.dim) {
    throw Error(ErrorCode::kDimensionMismatch, "The query has " + std::to_string(queries.dim) +
                                                   " dimensions, the index has " + std::to_string(options.dim) + ".");
  }
  for (std::size_t i = 0; i < queries.rows; ++i) {
    const double square = square_of(table, queries.data + i * queries.stride, queries.dim);
    if (!(square <= static_cast<double>(std::numeric_limits<float>::max()) / 16.0)) {
      throw Error(ErrorCode::kInvalidArgument,
                  "Query " + std::to_string(i) + " holds NaN, infinity or numbers too large to compare.");
    }
  }
}

}  // namespace

VectorIndex::State::Chosen VectorIndex::State::choose_rows(const Filter& filter) const {
  Chosen out;
  const std::size_t slots = columns.count();
  out.allowed.count = live;
  if (filter.bits == nullptr && filter.ids == nullptr) return out;
  out.filtered = true;
  out.bits.assign((slots + 63) / 64, 0);
  if (filter.bits != nullptr) {
    if (filter.slots != slots) {
      throw Error(ErrorCode::kInvalidArgument, "The mask covers " + std::to_string(filter.slots) +
                                                   " slots, the index has " + std::to_string(slots) + ".");
    }
    std::copy(filter.bits, filter.bits + out.bits.size(), out.bits.begin());
  } else {
    for (std::size_t i = 0; i < filter.id_count; ++i) {
      const std::uint32_t slot = map.find(columns.ids.as<std::uint64_t>(), filter.ids[i]);
      if (slot != IdMap::kNone) out.bits[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
  }
  if (slots % 64 != 0) out.bits.back() &= (std::uint64_t{1} << (slots % 64)) - 1;
  std::size_t count = 0;
  const std::uint64_t* dead = columns.dead.as<std::uint64_t>();
  for (std::size_t i = 0; i < out.bits.size(); ++i) {
    out.bits[i] &= ~load_relaxed(dead + i);
    count += static_cast<std::size_t>(std::popcount(out.bits[i]));
  }
  out.slots.reserve(count);
  for (std::size_t i = 0; i < out.bits.size(); ++i) {
    for (std::uint64_t word = out.bits[i]; word != 0; word &= word - 1) {
      out.slots.push_back(static_cast<std::uint32_t>(i * 64 + static_cast<std::size_t>(std::countr_zero(word))));
    }
  }
  out.allowed = {out.bits.data(), count};
  return out;
}

double VectorIndex::State::walk_cost(std::size_t ef) const {
  const auto wide = static_cast<double>(ef);
  double distances = 300.0 + 13.0 * wide;
  if (!calibration.empty()) {
    const Calibration& last = calibration.back();
    distances = static_cast<double>(last.distances) * std::max(1.0, wide / static_cast<double>(last.ef));
    for (const Calibration& each : calibration) {
      if (each.ef >= static_cast<float>(ef)) {
        distances = static_cast<double>(each.distances);
        break;
      }
    }
  }
  return kHopCost * distances;
}

// The width at which the index found this share of the neighbours of its own rows; 0: at none.
std::size_t VectorIndex::State::width_for(double recall, std::size_t k) const {
  const double wanted = recall + 0.25 * (1.0 - recall);
  const double more = k > 10 ? 1.5 * static_cast<double>(k - 10) : 0.0;
  for (std::size_t i = 0; i < calibration.size(); ++i) {
    const Calibration& at = calibration[i];
    if (static_cast<double>(at.recall) < wanted) continue;
    double ef = static_cast<double>(at.ef);
    if (i > 0 && at.recall > calibration[i - 1].recall) {
      const Calibration& below = calibration[i - 1];
      const double share = (wanted - static_cast<double>(below.recall)) / static_cast<double>(at.recall - below.recall);
      ef = static_cast<double>(below.ef) + share * (ef - static_cast<double>(below.ef));
    }
    return std::max(k, static_cast<std::size_t>(std::ceil(ef + more)));
  }
  return 0;
}

VectorIndex::State::Plan VectorIndex::State::plan(const SearchOptions& search, const Chosen& chosen) const {
  Plan out;
  if (!graph_ready) return out;
  const std::size_t slots = columns.count();
  out.ef = search.ef > 0 ? std::max(search.ef, search.k)
                         : width_for(search.recall > 0.0 ? search.recall : kDefaultRecall, search.k);
  out.ef = std::min(out.ef, slots);  // wider is no better, and a file may say anything
  if (out.ef == 0) return out;  // the graph does not reach it: look at every row
  const double row = graph.fine() ? kHopCost : 1.0;
  const double all = row * (chosen.filtered ? kGatherCost * static_cast<double>(chosen.allowed.count)
                                            : static_cast<double>(slots));
  double walk = walk_cost(out.ef) + static_cast<double>(graph.pivots().size());
  if (chosen.filtered) {
    walk *= static_cast<double>(slots) / static_cast<double>(std::max<std::size_t>(1, chosen.allowed.count));
  }
  out.graph = walk < all;
  out.watch = out.graph && search.ef == 0 && !chosen.filtered;
  if (out.watch && far_width > 0) {  // as much wider as the one for near queries
    const std::size_t usual = std::max<std::size_t>(1, width_for(kDefaultRecall, search.k));
    out.far_ef = std::max(out.ef, far_width * std::max(out.ef, usual) / usual + (search.k > 10 ? 2 * (search.k - 10) : 0));
    out.far_ef = std::min(out.far_ef, slots);
    if (walk_cost(out.far_ef) >= all) out.far_ef = 0;
  }
  return out;
}

SearchResult VectorIndex::State::search(const MatrixView& queries, const SearchOptions& search_options) const {
  if (search_options.k == 0) throw Error(ErrorCode::kInvalidArgument, "k must be at least 1.");
  if (search_options.ef > 0 && search_options.recall > 0.0) {
    throw Error(ErrorCode::kInvalidArgument, "Give ef or recall, not both.");
  }
  if (search_options.recall < 0.0 || search_options.recall > 1.0) {
    throw Error(ErrorCode::kInvalidArgument, "recall must lie between 0 and 1.");
  }
  check_query(queries, options, table);
  const std::shared_lock<Gate> hold(gate);
  const Chosen chosen = choose_rows(search_options.filter);
  SearchResult out;
  out.width = std::min(search_options.k, chosen.allowed.count);
  out.ids.resize(queries.rows * out.width);
  out.scores.resize(queries.rows * out.width);
  if (out.width == 0) return out;
  const Plan how = plan(search_options, chosen);
  const std::size_t decoded = chosen.allowed.count * options.dim;
  if (fitted && chosen.filtered && !how.graph && queries.rows >= kManyQueries && decoded <= kMostDecoded) {
    return search_decoded(queries, search_options, chosen);
  }
  parallel_for(search_options.threads, queries.rows, search_options.threads > 1 ? 8 : queries.rows,
               [&](std::size_t, std::size_t begin, std::size_t end) {
                 const ScratchPool::Lease scratch(scratches);
                 for (std::size_t i = begin; i < end; ++i) {
                   search_one(queries.data + i * queries.stride, search_options, chosen, how, out.width, *scratch,
                              out.ids.data() + i * out.width, out.scores.data() + i * out.width);
                 }
               });
  return out;
}

// Many queries on the same few rows: the rows are decoded once, and compared in register tiles.
SearchResult VectorIndex::State::search_decoded(const MatrixView& queries, const SearchOptions& search_options,
                                                const Chosen& chosen) const {
  const std::size_t dim = options.dim, count = chosen.slots.size();
  std::vector<float> rows(count * dim), units;
  parallel_for(search_options.threads, count, 64, [&](std::size_t, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) columns.read(table, grid, chosen.slots[i], rows.data() + i * dim);
  });
  MatrixView asked = queries;
  if (options.metric == Metric::kCosine) {  // what was read is normalised
    units.resize(queries.rows * dim);
    for (std::size_t i = 0; i < queries.rows; ++i) {
      const float* from = queries.data + i * queries.stride;
      const double square = square_of(table, from, dim);
      const auto inverse = static_cast<float>(square > 0.0 ? 1.0 / std::sqrt(square) : 0.0);
      for (std::size_t j = 0; j < dim; ++j) units[i * dim + j] = from[j] * inverse;
    }
    asked = {units.data(), queries.rows, dim, dim};
  }
  SearchResult out;
  out.width = std::min(search_options.k, count);
  out.ids.resize(queries.rows * out.width);
  out.scores.resize(queries.rows * out.width);
  exact_search(options.metric == Metric::kL2 ? Metric::kL2 : Metric::kDot, {rows.data(), count, dim, dim}, asked,
               out.width, search_options.threads, out.ids.data(), out.scores.data());
  for (std::uint64_t& id : out.ids) id = columns.id(chosen.slots[id]);
  return out;
}

void VectorIndex::State::search_one(const float* query, const SearchOptions& search_options, const Chosen& chosen,
                                    const Plan& how, std::size_t width, Scratch& scratch, std::uint64_t* ids,
                                    float* scores) const {
  const float* asked = query;
  if (options.metric == Metric::kCosine) {
    const double square = square_of(table, query, options.dim);
    const auto inverse = static_cast<float>(square > 0.0 ? 1.0 / std::sqrt(square) : 0.0);
    scratch.plain.resize(grid.padded());
    for (std::size_t j = 0; j < options.dim; ++j) scratch.plain[j] = query[j] * inverse;
    asked = scratch.plain.data();
  }
  float offset = 0.0F;
  if (!fitted) {
    scan_staged(asked, scratch, chosen, width);
  } else {
    grid.fold(table, asked, scratch.query);
    offset = columns.residual_kind == Residual::kNone ? scratch.query.plain_square : scratch.query.square;
    bool walked = how.graph && walk(scratch, search_options, chosen, how.ef, width);
    if (walked && how.watch && nearness(scratch.query, scratch.refined.best()) <= far_bar) {
      walked = how.far_ef > 0 && walk(scratch, search_options, chosen, how.far_ef, width);
    }
    if (!walked) {
      const std::size_t more = width > 10 ? 3 * (width - 10) : 0;
      scan(scratch, chosen, std::max({std::size_t{64}, kept_for(width, options.dim), scan_width + more}));
      refine(scratch, width, false);
    }
  }
  const std::vector<Scored>& best = scratch.refined.sorted();
  if (best.size() < width) {
    // Rows that came in by add can always be compared: only a file can hold such numbers.
    throw Error(ErrorCode::kCorrupt, "The index holds rows that cannot be compared with this query: its file was damaged.");
  }
  for (std::size_t i = 0; i < width; ++i) {
    ids[i] = columns.id(best[i].row);
    scores[i] = best[i].score;
    if (options.metric == Metric::kL2) scores[i] = fitted ? std::max(0.0F, offset - scores[i]) : -scores[i];
  }
}

// Walks with this width and scores the best of it again; false when too few rows may be answers.
bool VectorIndex::State::walk(Scratch& scratch, const SearchOptions& search_options, const Chosen& chosen,
                              std::size_t ef, std::size_t width) const {
  const std::size_t kept = kept_for(search_options.k, options.dim, ef);
  if (chosen.filtered) {
    const std::size_t budget = std::max<std::size_t>(512, chosen.allowed.count);
    if (!graph.walk_allowed(scratch, std::max(ef, kept), chosen.allowed, budget)) return false;
    scratch.candidates = scratch.found.sorted();
  } else {
    graph.walk(scratch, ef);
    scratch.candidates.clear();
    for (std::size_t i = 0; i < scratch.pool.size() && scratch.candidates.size() < kept; ++i) {
      const std::uint32_t slot = scratch.pool.slot(i);
      if (!columns.is_dead(slot)) scratch.candidates.push_back({scratch.pool.score(i), slot});
    }
    if (scratch.candidates.size() < width) return false;
  }
  refine(scratch, width, true);
  return true;
}

// How near a row with this score lies to the query, on a scale that queries of any length share.
double VectorIndex::State::nearness(const FoldedQuery& query, float score) const {
  const double square = columns.residual_kind == Residual::kNone ? query.plain_square : query.square;
  if (options.metric == Metric::kL2) return static_cast<double>(score) - square;
  return square > 0.0 ? static_cast<double>(score) / std::sqrt(square) : 0.0;
}

void VectorIndex::State::refine(Scratch& scratch, std::size_t width, bool from_walk) const {
  constexpr std::size_t kAhead = 4;
  const std::vector<Scored>& from = scratch.candidates;
  scratch.refined.reset(width);
  const bool done = graph.fine() && from_walk;
  const Scorer scorer(table, columns, grid);
  const std::size_t count = done ? std::min(from.size(), width) : from.size();
  for (std::size_t i = 0; i < std::min(kAhead, count); ++i) scorer.prefetch_fine(from[i].row);
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) scorer.prefetch_fine(from[i + kAhead].row);
    scratch.refined.push(done ? from[i].score : scorer.fine(scratch.query, from[i].row), from[i].row);
  }
}

// The best `keep` rows by their codes, into scratch.candidates.
void VectorIndex::State::scan(Scratch& scratch, const Chosen& chosen, std::size_t keep) const {
  const Scorer scorer(table, columns, grid);
  TopK& best = scratch.found;
  best.reset(keep);
  scratch.scores.resize(std::max<std::size_t>(scratch.scores.size(), kRun + 4));
  float* scores = scratch.scores.data();
  const std::size_t total = chosen.filtered ? chosen.slots.size() : columns.count();
  for (std::size_t at = 0; at < total; at += kRun) {
    const std::size_t count = std::min(kRun, total - at);
    if (graph.fine()) {
      for (std::size_t i = 0; i < count; ++i) {
        scores[i] = scorer.fine(scratch.query, chosen.filtered ? chosen.slots[at + i] : at + i);
      }
    } else if (chosen.filtered) {
      scorer.coarse(scratch.query, chosen.slots.data() + at, count, scores);
    } else {
      scorer.coarse_run(scratch.query, at, count, scores);
    }
    float bar = best.bar();
    for (std::size_t i = 0; i < count; ++i) {
      if (scores[i] < bar) continue;
      const std::size_t slot = chosen.filtered ? chosen.slots[at + i] : at + i;
      if (columns.is_dead(slot)) continue;
      best.push(scores[i], static_cast<std::uint32_t>(slot));
      bar = best.bar();
    }
  }
  scratch.candidates = best.sorted();
}

// Before anything is fitted: the rows as they came, compared exactly.
void VectorIndex::State::scan_staged(const float* query, Scratch& scratch, const Chosen& chosen,
                                     std::size_t keep) const {
  scratch.refined.reset(keep);
  const std::size_t total = chosen.filtered ? chosen.slots.size() : columns.count();
  for (std::size_t i = 0; i < total; ++i) {
    const std::size_t slot = chosen.filtered ? chosen.slots[i] : i;
    if (columns.is_dead(slot)) continue;
    float score = 0.0F;
    if (options.metric == Metric::kL2) {
      score = -table.f32.l2(query, staged(slot), options.dim);
    } else {
      score = table.f32.dot(query, staged(slot), options.dim);
      const float length = columns.fact(slot);
      if (options.metric == Metric::kCosine) score = length > 0.0F ? score / length : 0.0F;
    }
    scratch.refined.push(score, static_cast<std::uint32_t>(slot));
  }
}

}  // namespace mastra
