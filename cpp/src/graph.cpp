#include "graph.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

#include "atomics.hpp"

namespace mastra {

Graph::Lock::Lock(std::atomic<bool>& flag) noexcept : flag_(flag) {
  while (flag_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
}

void Graph::score(Scratch& scratch, const std::uint32_t* slots, std::size_t count, float* out) const {
  const Scorer scorer(table_, columns_, grid_);
  scratch.distances += count;
  if (!fine_) return scorer.coarse(scratch.query, slots, count, out);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = scorer.fine(scratch.query, slots[i]);
    if (scratch.query.lift > 0.0F) {
      out[i] += scratch.query.lift * lift_of(scratch.query.lift_limit, columns_.fact(slots[i]));
    }
  }
}

// The pivots are rows spread over the data: the walk starts from the best of them. Under dot they hold the longest
// rows, which are near to most queries and to few rows: all that are good enough start it.
void Graph::enter(Scratch& scratch) const {
  constexpr std::size_t kStarts = 2;
  const std::size_t count = pivots_.size();
  if (scratch.scores.size() < count + 4) scratch.scores.resize(count + 4);
  score(scratch, pivots_.data(), count, scratch.scores.data());
  const auto start = [&](std::size_t i) {
    if (scratch.visited.first(pivots_[i]) != 0) scratch.pool.insert(scratch.scores[i], pivots_[i]);
  };
  if (columns_.metric == Metric::kDot) {
    scratch.visited.reserve(count);
    for (std::size_t i = 0; i < count; ++i) start(i);
    return;
  }
  scratch.visited.reserve(kStarts);
  std::size_t best[kStarts] = {count, count};
  for (std::size_t i = 0; i < count; ++i) {
    if (best[0] == count || scratch.scores[i] > scratch.scores[best[0]]) {
      best[1] = best[0];
      best[0] = i;
    } else if (best[1] == count || scratch.scores[i] > scratch.scores[best[1]]) {
      best[1] = i;
    }
  }
  for (const std::size_t i : best) {
    if (i < count) start(i);
  }
}

std::size_t Graph::unseen(Scratch& scratch, std::uint32_t slot, std::uint32_t* out) const {
  const std::uint32_t* links = columns_.row_links(slot);
  const std::size_t lines = fine_ ? 0 : grid_.blocks() * 64;
  scratch.visited.reserve(kDegree);
  std::size_t count = 0;
  for (std::size_t i = 0; i < kDegree; ++i) {
    const std::uint32_t to = load_link(links + i);
    if (to == kNoSlot) break;
    out[count] = to;
    count += scratch.visited.first(to);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* code = columns_.codes.row(out[i]);
    for (std::size_t at = 0; at < lines; at += 64) prefetch(code + at);
  }
  return count;
}

void Graph::walk(Scratch& scratch, std::size_t ef, std::uint32_t exclude) const {
  Pool& pool = scratch.pool;
  pool.reset(ef);
  scratch.visited.reset(columns_.count());
  if (exclude != kNoSlot) {
    scratch.visited.reserve(1);
    scratch.visited.first(exclude);
  }
  enter(scratch);
  // Two rows are expanded at a time: the codes behind the second are on their way while the first's are scored.
  std::uint32_t slots[2 * kDegree + 4];
  float scores[2 * kDegree + 4];
  for (std::size_t at = pool.next(); at < pool.size(); at = pool.next()) {
    std::size_t count = expand(scratch, at, slots);
    const std::size_t second = pool.next();
    if (second < pool.size()) count += expand(scratch, second, slots + count);
    const std::size_t then = pool.next();
    if (then < pool.size()) {
      const std::uint32_t* links = columns_.row_links(pool.slot(then));
      prefetch(links);
      prefetch(links + 16);
    }
    if (count == 0) continue;
    score(scratch, slots, count, scores);
    for (std::size_t i = 0; i < count; ++i) pool.insert(scores[i], slots[i]);
  }
}

std::size_t Graph::expand(Scratch& scratch, std::size_t at, std::uint32_t* out) const {
  const std::uint32_t slot = scratch.pool.slot(at);
  scratch.pool.expand(at);
  return unseen(scratch, slot, out);
}

bool Graph::walk_allowed(Scratch& scratch, std::size_t ef, const Allowed& allowed, std::size_t budget) const {
  Pool& pool = scratch.pool;
  TopK& found = scratch.found;
  const double share = static_cast<double>(allowed.count) / static_cast<double>(std::max<std::size_t>(1, columns_.count()));
  pool.reset(std::min<std::size_t>(16384, static_cast<std::size_t>(static_cast<double>(ef) / std::max(share, 1e-3)) + ef));
  found.reset(ef);
  scratch.visited.reset(columns_.count());
  scratch.distances = 0;
  enter(scratch);
  const auto consider = [&](float score, std::uint32_t slot) {
    pool.insert(score, slot);
    if (score >= found.bar() && allowed.test(slot) && !columns_.is_dead(slot)) found.push(score, slot);
  };
  for (std::size_t i = 0; i < pool.size(); ++i) {
    const std::uint32_t slot = pool.slot(i);
    if (allowed.test(slot) && !columns_.is_dead(slot)) found.push(pool.score(i), slot);
  }
  std::uint32_t slots[kDegree + 4];
  float scores[kDegree + 4];
  for (std::size_t at = pool.next(); at < pool.size(); at = pool.next()) {
    if (found.full() && pool.score(at) < found.bar()) return true;
    if (scratch.distances > budget) return false;
    const std::uint32_t slot = pool.slot(at);
    pool.expand(at);
    const std::size_t count = unseen(scratch, slot, slots);
    if (count == 0) continue;
    score(scratch, slots, count, scores);
    for (std::size_t i = 0; i < count; ++i) consider(scores[i], slots[i]);
  }
  return found.full();
}

// ---------------------------------------------------------------- links

void Graph::stand_on(std::uint32_t slot, FoldedQuery& query, std::vector<float>& plain) const {
  const Columns& c = columns_;
  if (fine_) {
    plain.resize(grid_.padded());
    c.read(table_, grid_, slot, plain.data());
    grid_.fold(table_, plain.data(), query);
    query.square = c.metric == Metric::kCosine ? 1.0F : c.fact(slot);
  } else {
    if (query.hi.size() != grid_.padded()) query.hi.assign(grid_.padded());
    query.offset = grid_.expand(table_, c.codes.row(slot), query.hi.data());
    query.coarse = grid_.expand_scale();
    query.square = c.norm(slot);
  }
  query.lift = c.metric == Metric::kDot ? lift_of(longest_, c.fact(slot)) : 0.0F;
  query.lift_limit = longest_;
}

void Graph::distances(const FoldedQuery& from, const std::uint32_t* slots, std::size_t count, float* out) const {
  const Columns& c = columns_;
  if (fine_) {
    const Scorer scorer(table_, columns_, grid_);
    for (std::size_t i = 0; i < count; ++i) {
      const float score = scorer.fine(from, slots[i]);
      if (c.metric == Metric::kL2) {
        out[i] = (c.residual_kind == Residual::kNone ? from.plain_square : from.square) - score;
      } else {
        out[i] = from.square + (c.metric == Metric::kCosine ? 1.0F : c.fact(slots[i])) - 2.0F * score;
      }
    }
  } else {
    std::int32_t sums[Scorer::kBatch];
    for (std::size_t at = 0; at < count; at += Scorer::kBatch) {
      const std::size_t n = std::min(Scorer::kBatch, count - at);
      table_.score_u4(from.hi.data(), c.codes.data(), grid_.blocks(), slots + at, n, sums);
      for (std::size_t i = 0; i < n; ++i) {
        const float product = from.offset + from.coarse * static_cast<float>(sums[i]);
        out[at + i] = from.square + c.norm(slots[at + i]) - 2.0F * product;
      }
    }
  }
  if (c.metric == Metric::kDot) {
    for (std::size_t i = 0; i < count; ++i) {
      const float d = from.lift - lift_of(longest_, c.fact(slots[i]));
      out[i] += d * d;
    }
  }
  for (std::size_t i = 0; i < count; ++i) out[i] = std::max(out[i], 0.0F);
}

std::size_t Graph::choose(Scratch& scratch, std::uint32_t* out) const {
  std::vector<Scored>& left = scratch.candidates;
  std::sort(left.begin(), left.end(), better);
  std::vector<std::uint32_t>& slots = scratch.slots;
  std::vector<Scored> dropped;
  std::size_t chosen = 0;
  std::size_t live = left.size();
  scratch.scores.resize(std::max(scratch.scores.size(), live + 4));
  while (live > 0 && chosen < kDegree) {
    const std::uint32_t pick = left[0].row;
    out[chosen++] = pick;
    slots.resize(live);
    for (std::size_t i = 1; i < live; ++i) slots[i - 1] = left[i].row;
    if (live > 1) {
      stand_on(pick, scratch.other, scratch.plain);
      distances(scratch.other, slots.data(), live - 1, scratch.scores.data());
    }
    std::size_t kept = 0;
    for (std::size_t i = 1; i < live; ++i) {
      if (kAlpha * scratch.scores[i - 1] <= -left[i].score) {
        dropped.push_back(left[i]);
      } else {
        left[kept++] = left[i];
      }
    }
    live = kept;
  }
  // Few directions: the nearest of those passed over keep a row well connected.
  std::sort(dropped.begin(), dropped.end(), better);
  for (std::size_t i = 0; i < dropped.size() && chosen < kDegree / 2; ++i) out[chosen++] = dropped[i].row;
  return chosen;
}

bool Graph::link_back(std::uint32_t from, std::uint32_t to, Scratch& scratch, const FoldedQuery& to_query,
                      bool force) {
  const Lock hold = lock(from);
  std::uint32_t* links = columns_.row_links(from);
  std::uint32_t old[kDegree + 4];
  std::size_t count = 0;
  while (count < kDegree && (old[count] = load_link(links + count)) != kNoSlot) {
    if (old[count] == to) return true;
    ++count;
  }
  if (count < kDegree) {
    store_link(links + count, to);
    return true;
  }
  float here[kDegree + 4], there[kDegree + 4];
  old[kDegree] = to;
  stand_on(from, scratch.other, scratch.plain);
  distances(scratch.other, old, kDegree + 1, here);
  distances(to_query, old, kDegree, there);
  const float own = here[kDegree];
  std::size_t victim = kDegree;
  float worst = -1.0F;
  bool covered = false;
  for (std::size_t i = 0; i < kDegree; ++i) {
    if (here[i] <= own) {
      covered = covered || kAlpha * there[i] <= own;
    } else if (kAlpha * there[i] <= here[i] && here[i] > worst) {
      worst = here[i];
      victim = i;  // the new row stands between: the farthest such link goes
    }
  }
  if (covered && !force) return false;
  if (victim == kDegree) {
    victim = static_cast<std::size_t>(std::max_element(here, here + kDegree) - here);
    if (here[victim] <= own && !force) return false;
  }
  store_link(links + victim, to);
  return true;
}

void Graph::link(std::uint32_t slot, const float* x, Scratch& scratch) {
  grid_.fold(table_, x, scratch.query);
  if (columns_.metric == Metric::kDot) {
    scratch.query.lift = lift_of(longest_, columns_.fact(slot));
    scratch.query.lift_limit = longest_;
  }
  walk(scratch, kBuildWidth, slot);
  FoldedQuery& own = scratch.query;
  std::vector<std::uint32_t>& near = scratch.slots;
  near.clear();
  for (std::size_t i = 0; i < scratch.pool.size(); ++i) {
    const std::uint32_t other = scratch.pool.slot(i);
    if (other != slot && !columns_.is_dead(other)) near.push_back(other);
  }
  if (near.empty()) return;
  stand_on(slot, own, scratch.plain);
  scratch.scores.resize(std::max(scratch.scores.size(), near.size() + 4));
  distances(own, near.data(), near.size(), scratch.scores.data());
  scratch.candidates.clear();
  for (std::size_t i = 0; i < near.size(); ++i) scratch.candidates.push_back({-scratch.scores[i], near[i]});
  std::uint32_t out[kDegree];
  const std::size_t count = choose(scratch, out);
  {
    const Lock hold = lock(slot);
    std::uint32_t* links = columns_.row_links(slot);
    for (std::size_t i = 0; i < kDegree; ++i) store_link(links + i, i < count ? out[i] : kNoSlot);
  }
  std::vector<float> kept_plain = fine_ ? scratch.plain : std::vector<float>();
  bool reached = false;
  if (fine_) {
    stand_on(slot, own, kept_plain);
  }
  for (std::size_t i = 0; i < count; ++i) reached = link_back(out[i], slot, scratch, own, false) || reached;
  if (!reached) link_back(out[0], slot, scratch, own, true);
}

bool Graph::repair(std::uint32_t slot, Scratch& scratch) {
  const std::uint32_t* links = columns_.row_links(slot);
  std::vector<std::uint32_t> near;
  bool broken = false;
  for (std::size_t i = 0; i < kDegree; ++i) {
    const std::uint32_t to = load_link(links + i);
    if (to == kNoSlot) break;
    if (!columns_.is_dead(to)) {
      near.push_back(to);
      continue;
    }
    broken = true;
    const std::uint32_t* beyond = columns_.row_links(to);
    for (std::size_t j = 0; j < kDegree; ++j) {
      const std::uint32_t next = load_link(beyond + j);
      if (next == kNoSlot) break;
      if (next != slot && !columns_.is_dead(next)) near.push_back(next);
    }
  }
  if (!broken) return false;
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  stand_on(slot, scratch.query, scratch.plain);
  scratch.scores.resize(std::max(scratch.scores.size(), near.size() + 4));
  distances(scratch.query, near.data(), near.size(), scratch.scores.data());
  scratch.candidates.clear();
  for (std::size_t i = 0; i < near.size(); ++i) scratch.candidates.push_back({-scratch.scores[i], near[i]});
  std::uint32_t out[kDegree];
  const std::size_t count = choose(scratch, out);
  const Lock hold = lock(slot);
  std::uint32_t* to = columns_.row_links(slot);
  for (std::size_t i = 0; i < kDegree; ++i) store_link(to + i, i < count ? out[i] : kNoSlot);
  return true;
}

void Graph::connect(Scratch& scratch) {
  const std::size_t rows = columns_.count();
  std::vector<std::uint8_t> reached(rows, 0);
  for (const std::uint32_t pivot : pivots_) reached[pivot] = 1;
  for (std::size_t slot = 0; slot < rows; ++slot) {
    if (columns_.is_dead(slot)) continue;
    const std::uint32_t* links = columns_.row_links(slot);
    for (std::size_t i = 0; i < kDegree && load_link(links + i) != kNoSlot; ++i) reached[load_link(links + i)] = 1;
  }
  for (std::size_t slot = 0; slot < rows; ++slot) {
    if (reached[slot] != 0 || columns_.is_dead(slot)) continue;
    const std::uint32_t first = load_link(columns_.row_links(slot));
    if (first == kNoSlot) continue;
    stand_on(static_cast<std::uint32_t>(slot), scratch.query, scratch.plain);
    std::vector<float> plain = scratch.plain;
    if (fine_) stand_on(static_cast<std::uint32_t>(slot), scratch.query, plain);
    link_back(first, static_cast<std::uint32_t>(slot), scratch, scratch.query, true);
  }
}

}  // namespace mastra
