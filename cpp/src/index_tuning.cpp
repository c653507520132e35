// Fitting the grid, linking rows, repair and compaction.
#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <random>

#include "index_state.hpp"
#include "mapping.hpp"
#include "parallel.hpp"

namespace mastra {
namespace {

using Alone = std::lock_guard<Gate>;

constexpr std::size_t kFitSample = 16384;
constexpr std::size_t kCheckRows = 4096;     // rows among which the fit is checked
constexpr std::size_t kCheckQueries = 48;
constexpr double kFitBar = 0.97;             // share of the true ten among the thirty best codes
constexpr std::size_t kLongest = 32;         // under dot: of the longest rows, from which walks start as well
constexpr double kDrift = 1.6;               // growth of the residuals that asks for a new grid

}  // namespace

// Fits the grid to the staged rows and those that come, and encodes the staged ones.
void VectorIndex::State::fit(const MatrixView& incoming, std::size_t threads) {
  const std::size_t dim = options.dim;
  std::vector<float> sample;
  const auto take = [&](const float* row) {
    double scale = 1.0;
    if (options.metric == Metric::kCosine) {
      const double square = square_of(table, row, dim);
      scale = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
    }
    for (std::size_t j = 0; j < dim; ++j) sample.push_back(static_cast<float>(row[j] * scale));
  };
  for (std::size_t slot = 0; slot < columns.count(); ++slot) {
    if (!columns.is_dead(slot)) take(staged(slot));
  }
  const std::size_t stride = std::max<std::size_t>(1, incoming.rows / kFitSample);
  for (std::size_t i = 0; i < incoming.rows; i += stride) take(incoming.data + i * incoming.stride);
  Grid fresh(dim, options.metric);
  fresh.fit(sample.data(), sample.size() / dim, dim);
  const Alone hold(gate);
  grid = std::move(fresh);
  parallel_for(threads, columns.count(), 64, [&](std::size_t, std::size_t begin, std::size_t end) {
    for (std::size_t slot = begin; slot < end; ++slot) {
      columns.write(table, grid, slot, staged(slot));
      columns.clear_links(slot);
    }
  });
  fitted = true;
  staging = {};
  fit_rows = live + incoming.rows;
  fit_error = late_error = 0.0;
  late_rows = 0;
}

// Whether the codes order rows well enough to walk on; when not, the walk uses refined scores.
bool VectorIndex::State::codes_mislead() const {
  const std::size_t rows = std::min(kCheckRows, columns.count());
  std::vector<std::uint32_t> slots(rows);
  for (std::size_t i = 0; i < rows; ++i) slots[i] = static_cast<std::uint32_t>(i * columns.count() / rows);
  std::vector<float> fine(rows), coarse(rows + 4), plain(grid.padded());
  FoldedQuery query;
  const Scorer scorer(table, columns, grid);
  double found = 0.0, asked = 0.0;
  std::mt19937_64 random(options.seed);
  std::normal_distribution<float> normal;
  for (std::size_t n = 0; n < kCheckQueries; ++n) {
    columns.read(table, grid, slots[random() % rows], plain.data());
    for (std::size_t j = 0; j < options.dim; ++j) plain[j] += kNudge * grid.step()[j] * normal(random);
    grid.fold(table, plain.data(), query);
    scorer.coarse(query, slots.data(), rows, coarse.data());
    for (std::size_t i = 0; i < rows; ++i) fine[i] = scorer.fine(query, slots[i]);
    std::vector<float> order = fine;
    const std::size_t ten = std::min<std::size_t>(10, rows - 1);
    std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(ten), order.end(), std::greater<>());
    const float bar = order[ten];
    order.assign(coarse.begin(), coarse.begin() + static_cast<std::ptrdiff_t>(rows));
    const std::size_t thirty = std::min<std::size_t>(30, rows - 1);
    std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(thirty), order.end(),
                     std::greater<>());
    for (std::size_t i = 0; i < rows; ++i) {
      if (!(fine[i] > bar)) continue;  // rows that tie with the eleventh do not count
      asked += 1.0;
      if (coarse[i] >= order[thirty]) found += 1.0;
    }
  }
  return asked > 0.0 && found < kFitBar * asked;
}

bool VectorIndex::State::wants_refit() const {
  if (late_rows == 0) return false;
  if (fit_rows < kFitSample && live >= 4 * fit_rows) return true;
  if (fit_error == 0.0) return false;
  return late_rows >= std::max<std::size_t>(256, live / 8) &&
         late_error > kDrift * fit_error * static_cast<double>(late_rows);
}

// A new grid for the rows as they are now; links stay, for they follow the rows and not the codes.
void VectorIndex::State::refit(std::size_t threads) {
  const std::size_t dim = options.dim, slots = columns.count();
  const std::size_t stride = std::max<std::size_t>(1, slots / kFitSample);
  std::vector<float> sample;
  for (std::size_t slot = 0; slot < slots; slot += stride) {
    if (columns.is_dead(slot)) continue;
    sample.resize(sample.size() + dim);
    columns.read(table, grid, slot, sample.data() + sample.size() - dim);
  }
  Grid fresh(dim, options.metric);
  fresh.fit(sample.data(), sample.size() / dim, dim);
  {
    const Alone hold(gate);
    const Grid old = grid;
    grid = std::move(fresh);
    std::vector<double> errors(threads, 0.0);
    parallel_for(threads, slots, 64, [&](std::size_t thread, std::size_t begin, std::size_t end) {
      std::vector<float> row(dim);
      for (std::size_t slot = begin; slot < end; ++slot) {
        columns.read(table, old, slot, row.data());
        errors[thread] += columns.encode(table, grid, slot, row.data());
      }
    });
    fit_rows = live;
    fit_error = std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(slots);
    late_error = 0.0;
    late_rows = 0;
    ++refits;
    const bool fine = codes_mislead();
    if (fine != graph.fine()) calibrated_rows = 0;
    graph.set_fine(fine);
  }
}

// Rows spread over the data, from which walks start. Under dot the longest rows answer most queries: all walks
// look at them.
void VectorIndex::State::choose_pivots() {
  std::vector<std::uint32_t> alive;
  for (std::size_t slot = 0; slot < columns.count(); ++slot) {
    if (!columns.is_dead(slot)) alive.push_back(static_cast<std::uint32_t>(slot));
  }
  const auto wanted = static_cast<std::size_t>(std::sqrt(static_cast<double>(alive.size())));
  std::mt19937_64 random(options.seed);
  for (std::size_t i = 0; i < alive.size() && i < wanted; ++i) {
    std::swap(alive[i], alive[i + random() % (alive.size() - i)]);
  }
  const std::size_t spread = std::min(alive.size(), std::clamp<std::size_t>(wanted, 16, 1024));
  std::size_t longest = 0;
  if (options.metric == Metric::kDot) {
    longest = std::min(kLongest, alive.size() - spread);
    const auto from = alive.begin() + static_cast<std::ptrdiff_t>(spread);
    std::partial_sort(from, from + static_cast<std::ptrdiff_t>(longest), alive.end(),
                      [&](std::uint32_t a, std::uint32_t b) { return columns.fact(a) > columns.fact(b); });
  }
  alive.resize(spread + longest);
  const Alone hold(gate);
  graph.set_pivots(std::move(alive));
}

// Whether rows have come that belong to the longest, and walks do not start from them.
bool VectorIndex::State::longer_than_pivots(const std::vector<std::uint32_t>& slots) const {
  if (options.metric != Metric::kDot || graph.pivots().size() < kLongest) return false;
  std::vector<float> lengths;
  for (const std::uint32_t pivot : graph.pivots()) lengths.push_back(columns.fact(pivot));
  const auto at = lengths.begin() + static_cast<std::ptrdiff_t>(kLongest / 2);
  std::nth_element(lengths.begin(), at, lengths.end(), std::greater<>());
  return std::any_of(slots.begin(), slots.end(), [&](std::uint32_t slot) { return columns.fact(slot) > *at; });
}

void VectorIndex::State::link(const std::vector<std::uint32_t>& slots, std::size_t threads) {
  if (options.metric == Metric::kDot) {
    float longest = graph.longest();
    for (const std::uint32_t slot : slots) longest = std::max(longest, columns.fact(slot));
    const Alone hold(gate);
    graph.set_longest(longest);
  }
  const auto link_one = [&](std::uint32_t slot, Scratch& scratch) {
    std::vector<float> row(grid.padded());
    columns.read(table, grid, slot, row.data());
    graph.link(slot, row.data(), scratch);
  };
  if (!graph_ready) {  // the first: pivots on one thread, each linked to those before
    choose_pivots();
    const std::vector<std::uint32_t> pivots = graph.pivots();
    const ScratchPool::Lease scratch(scratches);
    for (const std::uint32_t pivot : pivots) link_one(pivot, *scratch);
  }
  std::vector<bool> done(columns.count(), false);
  if (!graph_ready) {
    for (const std::uint32_t pivot : graph.pivots()) done[pivot] = true;
  }
  parallel_for(threads, slots.size(), slots.size() < 64 ? 1 : 16,
               [&](std::size_t, std::size_t begin, std::size_t end) {
                 const ScratchPool::Lease scratch(scratches);
                 for (std::size_t i = begin; i < end; ++i) {
                   if (!done[slots[i]]) link_one(slots[i], *scratch);
                 }
               });
  if (slots.size() >= kFitRows) {
    const ScratchPool::Lease scratch(scratches);
    graph.connect(*scratch);
  }
  const auto grown = static_cast<std::size_t>(std::sqrt(static_cast<double>(live))) / 2;
  if (graph.pivots().size() < std::min<std::size_t>(512, grown) || longer_than_pivots(slots)) choose_pivots();
  if (!graph_ready) {
    const Alone hold(gate);
    graph_ready = true;
    if (fit_error == 0.0 && late_rows > 0) {
      fit_error = late_error / static_cast<double>(late_rows);
      late_error = 0.0;
      late_rows = 0;
    }
  }
}

// Takes removed rows out of the graph: their neighbours are linked to what lay behind them.
void VectorIndex::State::repair(std::size_t threads) {
  if (removed.empty()) return;
  const std::size_t slots = columns.count();
  parallel_for(threads, slots, 64, [&](std::size_t, std::size_t begin, std::size_t end) {
    const ScratchPool::Lease scratch(scratches);
    for (std::size_t slot = begin; slot < end; ++slot) {
      if (!columns.is_dead(slot)) graph.repair(static_cast<std::uint32_t>(slot), *scratch);
    }
  });
  choose_pivots();
  const ScratchPool::Lease scratch(scratches);
  graph.connect(*scratch);
  const Alone hold(gate);
  for (const std::uint32_t slot : removed) {
    columns.clear_links(slot);
    free_slots.push_back(slot);
  }
  removed = {};
}

void VectorIndex::State::optimize(std::size_t threads) {
  if (live == 0) return restart();
  if (fitted) {
    repair(threads);
    refit(threads);
  }
  if (columns.count() > live) {  // close the gaps, in order
    Columns packed(options.dim, options.metric, options.storage);
    packed.grow(live);
    std::vector<std::uint32_t> moved(columns.count(), kNoSlot);
    std::vector<float> rows;
    std::uint32_t next = 0;
    for (std::size_t slot = 0; slot < columns.count(); ++slot) {
      if (columns.is_dead(slot)) continue;
      moved[slot] = next++;
    }
    for (std::size_t slot = 0; slot < columns.count(); ++slot) {
      if (moved[slot] == kNoSlot) continue;
      const auto copy = [&](const Arena& from, const Arena& to) {
        if (from.row_bytes() != 0) std::copy_n(from.row(slot), from.row_bytes(), to.row(moved[slot]));
      };
      copy(columns.codes, packed.codes);
      copy(columns.residuals, packed.residuals);
      copy(columns.scales, packed.scales);
      copy(columns.extra, packed.extra);
      copy(columns.norms, packed.norms);
      copy(columns.ids, packed.ids);
      copy(columns.raw, packed.raw);
      for (std::size_t i = 0; i < kDegree; ++i) {
        const std::uint32_t to = load_link(columns.row_links(slot) + i);
        store_link(packed.row_links(moved[slot]) + i, to == kNoSlot ? kNoSlot : moved[to]);
      }
      if (!fitted) rows.insert(rows.end(), staged(slot), staged(slot) + options.dim);
    }
    std::vector<std::uint32_t> pivots;
    for (const std::uint32_t pivot : graph.pivots()) pivots.push_back(moved[pivot]);
    const Alone hold(gate);
    packed.rows.store(live, std::memory_order_release);
    columns = std::move(packed);
    mapping.reset();
    staging = std::move(rows);
    free_slots = {};
    map.clear();
    map.reserve(columns.ids.as<std::uint64_t>(), live);
    for (std::uint32_t slot = 0; slot < live; ++slot) map.insert(columns.ids.as<std::uint64_t>(), slot);
    graph.set_pivots(std::move(pivots));
  }
  if (fitted && !graph_ready) return;
  calibrated_rows = 0;
  tune(true);
}

}  // namespace mastra
