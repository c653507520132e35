// Measuring what walks and scans find of what is there, on queries beside the rows and unlike them.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <mutex>
#include <random>

#include "index_state.hpp"

namespace mastra {
namespace {

using Alone = std::lock_guard<Gate>;

constexpr std::size_t kTuneQueries = 96;
constexpr std::size_t kTruth = 10;
constexpr std::size_t kTruthWidth = 4096;    // rows among which the true ones are looked for
constexpr double kScanRecall = 0.98;
constexpr double kGrowth = 1.25;             // of the rows, that asks for a new calibration

// A mean, and what it surely is not below: among duplicates a query finds all or nothing, and few queries may
// flatter.
class Sure {
 public:
  void add(double x) noexcept {
    ++count_;
    sum_ += x;
    squares_ += x * x;
  }
  [[nodiscard]] double least() const noexcept {
    const double mean = sum_ / count_;
    return mean - std::sqrt(std::max(0.0, squares_ / count_ - mean * mean) / count_);
  }

 private:
  double count_ = 0.0, sum_ = 0.0, squares_ = 0.0;
};

// The share of the true rows among those found; an equal score is as good: duplicates stand for each other.
double share_found(const std::vector<Scored>& found, const std::vector<Scored>& truth) {
  if (truth.empty()) return 1.0;
  double count = 0.0;
  for (const Scored& item : found) {
    if (item.score >= truth.back().score) count += 1.0;
  }
  return std::min(1.0, count / static_cast<double>(truth.size()));
}

}  // namespace

// The ten best rows for a query but for one, by everything that is stored. The query is left folded. So many codes
// are looked behind that what a narrower search misses is seen: data whose codes order them badly need it.
std::vector<Scored> VectorIndex::State::truth_of(Scratch& scratch, const float* query, std::uint32_t besides) const {
  const std::size_t slots = columns.count();
  const Scorer scorer(table, columns, grid);
  grid.fold(table, query, scratch.query);
  std::vector<Scored> rows(slots);
  std::vector<float> scores(slots + 4, 0.0F);
  if (slots > kTruthWidth) scorer.coarse_run(scratch.query, 0, slots, scores.data());
  for (std::size_t slot = 0; slot < slots; ++slot) rows[slot] = {scores[slot], static_cast<std::uint32_t>(slot)};
  std::erase_if(rows, [&](const Scored& item) { return item.row == besides || columns.is_dead(item.row); });
  if (rows.size() > kTruthWidth) {
    std::nth_element(rows.begin(), rows.begin() + kTruthWidth, rows.end(), better);
    rows.resize(kTruthWidth);
  }
  for (Scored& item : rows) item.score = scorer.fine(scratch.query, item.row);
  const std::size_t ten = std::min(rows.size(), kTruth);
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(ten), rows.end(), better);
  return {rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(ten)};
}

// The share of a probe's true rows that a walk of this width finds.
double VectorIndex::State::found_by_walk(Scratch& scratch, const Probe& probe, std::size_t ef) const {
  const std::size_t kept = kept_for(kTruth, options.dim, ef);
  grid.fold(table, probe.query.data(), scratch.query);
  graph.walk(scratch, ef, probe.besides);
  scratch.candidates.clear();
  for (std::size_t c = 0; c < scratch.pool.size() && scratch.candidates.size() < kept; ++c) {
    const std::uint32_t slot = scratch.pool.slot(c);
    if (!columns.is_dead(slot)) scratch.candidates.push_back({scratch.pool.score(c), slot});
  }
  refine(scratch, kTruth, true);
  return share_found(scratch.refined.sorted(), probe.truth);
}

// The share of a probe's true rows that a scan finds which scores so many rows again.
double VectorIndex::State::found_by_scan(Scratch& scratch, const Probe& probe, std::size_t keep) const {
  const Chosen everything{false, {}, {}, {nullptr, live}};
  grid.fold(table, probe.query.data(), scratch.query);
  scan(scratch, everything, keep);
  refine(scratch, kTruth + 1, false);
  std::vector<Scored>& found = scratch.refined.sorted();
  std::erase_if(found, [&](const Scored& item) { return item.row == probe.besides; });
  return share_found(found, probe.truth);
}

// Queries beside the index's own rows, moved a little, so that rows which tie come into some order.
std::vector<VectorIndex::State::Probe> VectorIndex::State::near_probes(Scratch& scratch,
                                                                       std::mt19937_64& random) const {
  std::normal_distribution<float> normal;
  std::vector<Probe> out;
  while (out.size() < kTuneQueries) {
    const auto slot = static_cast<std::uint32_t>(random() % columns.count());
    if (columns.is_dead(slot)) continue;
    Probe probe{std::vector<float>(grid.padded()), slot, {}};
    columns.read(table, grid, slot, probe.query.data());
    for (std::size_t j = 0; j < options.dim; ++j) probe.query[j] += kNudge * grid.step()[j] * normal(random);
    probe.truth = truth_of(scratch, probe.query.data(), slot);
    out.push_back(std::move(probe));
  }
  return out;
}

// Queries unlike the rows: noise as large as the rows, around zero and around their mean.
std::vector<VectorIndex::State::Probe> VectorIndex::State::far_probes(Scratch& scratch, const std::vector<Probe>& near,
                                                                      std::mt19937_64& random) const {
  std::normal_distribution<float> normal;
  const std::size_t dim = options.dim;
  const auto count = static_cast<float>(near.size());
  std::vector<float> mean(dim, 0.0F), spread(dim, 0.0F);
  float size = 0.0F;
  for (const Probe& probe : near) {
    for (std::size_t j = 0; j < dim; ++j) mean[j] += probe.query[j] / count;
  }
  for (const Probe& probe : near) {
    for (std::size_t j = 0; j < dim; ++j) {
      const float x = probe.query[j];
      spread[j] += (x - mean[j]) * (x - mean[j]) / count;
      size += x * x / (count * static_cast<float>(dim));
    }
  }
  std::vector<Probe> out;
  for (std::size_t i = 0; i < kTuneQueries; ++i) {
    Probe probe{std::vector<float>(grid.padded()), kNoSlot, {}};
    for (std::size_t j = 0; j < dim; ++j) {
      probe.query[j] = normal(random) * (i % 2 == 0 ? std::sqrt(size) : std::sqrt(spread[j]));
      if (i % 2 == 1) probe.query[j] += mean[j];
    }
    if (options.metric == Metric::kCosine) {
      const float length = std::sqrt(table.f32.dot(probe.query.data(), probe.query.data(), dim));
      for (std::size_t j = 0; j < dim && length > 0.0F; ++j) probe.query[j] /= length;
    }
    probe.truth = truth_of(scratch, probe.query.data(), kNoSlot);
    out.push_back(std::move(probe));
  }
  return out;
}

// Measures what a walk of each width, and a scan, find of what is there.
void VectorIndex::State::tune(bool always) {
  if (!graph_ready || (!always && static_cast<double>(live) < kGrowth * static_cast<double>(calibrated_rows))) return;
  if (!graph.fine() && codes_mislead()) {  // what came since the fit lies elsewhere
    if (late_rows > 0) refit(1);
    const bool fine = codes_mislead();
    const Alone hold(gate);
    graph.set_fine(fine);
  }
  const ScratchPool::Lease lease(scratches);
  Scratch& scratch = *lease;
  std::mt19937_64 random(options.seed + live);
  const std::vector<Probe> near = near_probes(scratch, random), far = far_probes(scratch, near, random);
  std::vector<double> nearest;
  for (const Probe& probe : near) {
    if (probe.truth.empty()) continue;
    grid.fold(table, probe.query.data(), scratch.query);
    nearest.push_back(nearness(scratch.query, probe.truth.front().score));
  }
  std::sort(nearest.begin(), nearest.end());
  const double bar = nearest.empty() ? -std::numeric_limits<double>::infinity() : nearest[nearest.size() / 32];
  std::vector<Calibration> curve = measure_curve(scratch, near, far, bar);
  {
    const Alone hold(gate);
    calibration = std::move(curve);
    calibrated_rows = live;
    far_bar = bar;
  }
  const std::size_t away = measure_far(scratch, far), scanned = measure_scan(scratch, near, far);
  const Alone hold(gate);
  far_width = away;
  scan_width = scanned;
}

// The least that walks find, of each width: beside the rows, and far from them where a query is not noticed to be far.
std::vector<Calibration> VectorIndex::State::measure_curve(Scratch& scratch, const std::vector<Probe>& near,
                                                           const std::vector<Probe>& far, double bar) const {
  std::vector<Calibration> curve;
  float best = 0.0F;
  for (const std::size_t ef : std::initializer_list<std::size_t>{10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640}) {
    Sure found, unnoticed;
    double distances = 0.0;
    for (const Probe& probe : near) {
      scratch.distances = 0;
      found.add(found_by_walk(scratch, probe, ef));
      distances += static_cast<double>(scratch.distances);
    }
    for (const Probe& probe : far) {
      const double share = found_by_walk(scratch, probe, ef);
      unnoticed.add(nearness(scratch.query, scratch.refined.best()) <= bar ? 1.0 : share);
    }
    best = std::max(best, static_cast<float>(std::min(found.least(), unnoticed.least())));
    curve.push_back({static_cast<float>(ef), best, static_cast<float>(distances / static_cast<double>(near.size()))});
    // A walk that costs more than a scan is not taken, nor are wider ones.
    if (best >= 0.999F || kHopCost * distances > 2.0 * static_cast<double>(near.size() * live)) break;
  }
  return curve;
}

// How wide a walk must be for queries far from the rows; 0: no walk is as cheap as a scan.
std::size_t VectorIndex::State::measure_far(Scratch& scratch, const std::vector<Probe>& far) const {
  for (const std::size_t ef : std::initializer_list<std::size_t>{80, 160, 320, 640, 1280}) {
    if (walk_cost(ef) > static_cast<double>(live)) break;
    Sure found;
    for (const Probe& probe : far) found.add(found_by_walk(scratch, probe, ef));
    if (found.least() >= kDefaultRecall) return ef;
  }
  return 0;
}

// How many rows a scan must score again; 0: the usual number.
std::size_t VectorIndex::State::measure_scan(Scratch& scratch, const std::vector<Probe>& near,
                                             const std::vector<Probe>& far) const {
  std::size_t keep = kept_for(kTruth, options.dim);
  for (std::size_t at = 0; keep < kTruthWidth; keep *= 2, ++at) {
    Sure beside, away;
    for (const Probe& probe : near) beside.add(found_by_scan(scratch, probe, keep));
    for (const Probe& probe : far) away.add(found_by_scan(scratch, probe, keep));
    if (std::min(beside.least(), away.least()) >= kScanRecall) return at == 0 ? 0 : keep;
  }
  return kTruthWidth;
}

}  // namespace mastra
