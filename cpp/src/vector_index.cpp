#include "mastra/vector_index.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "index_log.hpp"
#include "index_state.hpp"
#include "mapping.hpp"
#include "mastra/error.hpp"
#include "parallel.hpp"

namespace mastra {
namespace {

using Writing = std::lock_guard<std::mutex>;
using Alone = std::lock_guard<Gate>;

constexpr float kMostHalf = 65504.0F;

std::string row_name(std::size_t i) { return "Row " + std::to_string(i) + " "; }

void check_rows(const MatrixView& rows, const IndexOptions& options, const kernels::KernelTable& table) {
  if (rows.dim != options.dim) {
    throw Error(ErrorCode::kDimensionMismatch, "The vectors have " + std::to_string(rows.dim) +
                                                   " dimensions, the index has " + std::to_string(options.dim) + ".");
  }
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const double square = square_of(table, rows.data + i * rows.stride, rows.dim);
    if (!(square <= static_cast<double>(std::numeric_limits<float>::max()) / 16.0)) {
      throw Error(ErrorCode::kInvalidArgument, row_name(i) + "holds NaN, infinity or numbers too large to compare.");
    }
    const float* row = rows.data + i * rows.stride;
    const bool halves = options.storage == Storage::kF16 && options.metric != Metric::kCosine;
    if (halves && std::any_of(row, row + rows.dim, [](float x) { return std::fabs(x) > kMostHalf; })) {
      throw Error(ErrorCode::kInvalidArgument, row_name(i) + "holds a number beyond 65504, which storage f16 cannot keep.");
    }
    if (options.metric == Metric::kCosine && !(square > 0.0) && !options.allow_zero) {
      throw Error(ErrorCode::kInvalidArgument,
                  row_name(i) + "is the zero vector, which has no cosine; allow_zero=True accepts it.");
    }
  }
}

void check_distinct(const std::uint64_t* ids, std::size_t count) {
  std::vector<std::uint64_t> sorted(ids, ids + count);
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    throw Error(ErrorCode::kInvalidArgument, "The id " + std::to_string(*twice) + " comes twice in one call.");
  }
}

}  // namespace

Storage storage_named(const std::string& name) {
  for (const Storage each : {Storage::kDefault, Storage::kCompact, Storage::kF16, Storage::kF32}) {
    if (name == storage_name(each)) return each;
  }
  throw Error(ErrorCode::kInvalidArgument, "The storage '" + name + "' is none of default, compact, f16, f32.");
}

const char* storage_name(Storage storage) noexcept {
  switch (storage) {
    case Storage::kCompact: return "compact";
    case Storage::kF16: return "f16";
    case Storage::kF32: return "f32";
    case Storage::kDefault: break;
  }
  return "default";
}

VectorIndex::State::State(const IndexOptions& options_)
    : options(options_),
      table(kernels::active()),
      columns(options_.dim, options_.metric, options_.storage),
      grid(options_.dim, options_.metric),
      graph(table, columns, grid) {}

VectorIndex::State::~State() = default;

std::vector<std::uint64_t> VectorIndex::State::add(const MatrixView& rows, const std::uint64_t* given, bool upsert,
                                                   std::size_t threads) {
  if (read_only) throw Error(ErrorCode::kInvalidArgument, "The index was opened read-only.");
  check_rows(rows, options, table);
  std::vector<std::uint64_t> ids(rows.rows);
  std::vector<std::uint32_t> replaced;
  if (given == nullptr) {
    if (next_id > std::numeric_limits<std::uint64_t>::max() - rows.rows) {
      throw Error(ErrorCode::kLimit, "There are no ids after " + std::to_string(next_id - 1) + "; give your own.");
    }
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = next_id + i;
  } else {
    check_distinct(given, rows.rows);
    std::copy(given, given + rows.rows, ids.begin());
    for (const std::uint64_t id : ids) {
      const std::uint32_t slot = map.find(columns.ids.as<std::uint64_t>(), id);
      if (slot == IdMap::kNone) continue;
      if (!upsert) {
        throw Error(ErrorCode::kAlreadyExists,
                    "The id " + std::to_string(id) + " is there already; upsert=True replaces it.");
      }
      replaced.push_back(slot);
    }
  }
  if (rows.rows == 0) return ids;
  if (columns.count() + rows.rows > kMaxSlots) throw Error(ErrorCode::kLimit, "An index holds at most 2^31 - 1 rows.");
  {
    const Alone hold(gate);
    columns.grow(columns.count() + rows.rows);
    map.reserve(columns.ids.as<std::uint64_t>(), map.size() + rows.rows);
  }
  if (log) log->append_add(rows, ids);
  if (!replaced.empty()) erase(replaced);
  insert(rows, ids, threads);
  for (const std::uint64_t id : ids) {
    if (id >= next_id) next_id = id == std::numeric_limits<std::uint64_t>::max() ? id : id + 1;
  }
  if (fitted) {
    if (wants_refit()) refit(threads);
    tune(false);
  }
  return ids;
}

std::vector<std::uint32_t> VectorIndex::State::take_slots(std::size_t count) {
  std::vector<std::uint32_t> out;
  out.reserve(count);
  while (out.size() < count && !free_slots.empty()) {
    out.push_back(free_slots.back());
    free_slots.pop_back();
  }
  for (std::size_t next = columns.count(); out.size() < count; ++next) out.push_back(static_cast<std::uint32_t>(next));
  return out;
}

void VectorIndex::State::insert(const MatrixView& rows, const std::vector<std::uint64_t>& ids, std::size_t threads) {
  const std::size_t had = columns.count();
  if (!fitted && live + rows.rows >= kFitRows) fit(rows, threads);
  const std::vector<std::uint32_t> slots = take_slots(rows.rows);
  std::size_t top = had;
  for (const std::uint32_t slot : slots) top = std::max<std::size_t>(top, slot + std::size_t{1});
  std::vector<double> errors(std::max<std::size_t>(1, threads), 0.0);
  const auto encode = [&](std::size_t thread, std::size_t i) {
    errors[thread] += columns.write(table, grid, slots[i], rows.data + i * rows.stride);
    columns.clear_links(slots[i]);
  };
  if (fitted) {  // rows nobody can see yet need no lock
    parallel_for(threads, slots.size(), 64, [&](std::size_t thread, std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        if (slots[i] >= had) encode(thread, i);
      }
    });
  }
  {
    const Alone hold(gate);
    if (!fitted) staging.resize(top * options.dim);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const std::uint32_t slot = slots[i];
      const float* row = rows.data + i * rows.stride;
      if (fitted) {
        if (slot < had) encode(0, i);
      } else {
        std::copy(row, row + options.dim, staging.begin() + static_cast<std::ptrdiff_t>(slot * options.dim));
        columns.fact(slot) = static_cast<float>(std::sqrt(square_of(table, row, options.dim)));
      }
      columns.id(slot) = ids[i];
      columns.mark_dead(slot, false);
      map.insert(columns.ids.as<std::uint64_t>(), slot);
    }
    live += slots.size();
    columns.rows.store(top, std::memory_order_release);
  }
  if (!fitted) return;
  for (const double error : errors) late_error += error;
  late_rows += slots.size();
  if (graph_ready) return link(slots, threads);
  std::vector<std::uint32_t> all;
  for (std::size_t slot = 0; slot < top; ++slot) {
    if (!columns.is_dead(slot)) all.push_back(static_cast<std::uint32_t>(slot));
  }
  const bool fine = codes_mislead();
  {
    const Alone hold(gate);
    graph.set_fine(fine);
  }
  link(all, threads);
}

void VectorIndex::State::erase(const std::vector<std::uint32_t>& slots) {
  const Alone hold(gate);
  for (const std::uint32_t slot : slots) {
    map.erase(columns.ids.as<std::uint64_t>(), columns.id(slot));
    columns.mark_dead(slot, true);
    (graph_ready ? removed : free_slots).push_back(slot);
  }
  live -= slots.size();
}

// The last row went: begin again, with the next rows deciding the grid.
void VectorIndex::State::restart() {
  const Alone hold(gate);
  const IndexOptions same = options;
  columns = Columns(same.dim, same.metric, same.storage);
  mapping.reset();
  map.clear();
  staging = {};
  free_slots = {};
  removed = {};
  graph.set_pivots({});
  graph.set_fine(false);
  graph.set_longest(0.0F);
  fitted = graph_ready = false;
  calibration.clear();
  far_bar = -std::numeric_limits<double>::infinity();
  far_width = scan_width = 0;
  calibrated_rows = fit_rows = late_rows = 0;
  late_error = 0.0;
}

std::size_t VectorIndex::State::remove(const std::uint64_t* ids, std::size_t count, bool strict) {
  if (read_only) throw Error(ErrorCode::kInvalidArgument, "The index was opened read-only.");
  std::vector<std::uint32_t> slots;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t slot = map.find(columns.ids.as<std::uint64_t>(), ids[i]);
    if (slot != IdMap::kNone) {
      slots.push_back(slot);
    } else if (strict) {
      throw Error(ErrorCode::kNotFound, "There is no id " + std::to_string(ids[i]) + "; nothing was removed.");
    }
  }
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  if (slots.empty()) return 0;
  {  // stats() reads the sizes of both lists
    const Alone hold(gate);
    removed.reserve(removed.size() + slots.size());
    free_slots.reserve(free_slots.size() + removed.size() + slots.size());
  }
  if (log) log->append_remove(ids, count);
  erase(slots);
  if (live == 0) {
    restart();
  } else if (removed.size() >= std::max<std::size_t>(256, columns.count() / 8)) {
    repair(1);
  }
  return slots.size();
}

// ---------------------------------------------------------------- the door

VectorIndex::VectorIndex(const IndexOptions& options) {
  if (options.dim == 0 || options.dim > kMaxDim) {
    throw Error(ErrorCode::kInvalidArgument, "dim must lie between 1 and " + std::to_string(kMaxDim) + ".");
  }
  state_ = std::make_unique<State>(options);
}

VectorIndex::VectorIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
VectorIndex::~VectorIndex() = default;
VectorIndex::VectorIndex(VectorIndex&&) noexcept = default;

std::vector<std::uint64_t> VectorIndex::add(const MatrixView& rows, const std::uint64_t* ids, bool upsert,
                                            std::size_t threads) {
  const Writing hold(state_->writer);
  return state_->add(rows, ids, upsert, std::max<std::size_t>(1, threads));
}

std::size_t VectorIndex::remove(const std::uint64_t* ids, std::size_t count, bool strict) {
  const Writing hold(state_->writer);
  return state_->remove(ids, count, strict);
}

void VectorIndex::get(const std::uint64_t* ids, std::size_t count, float* out) const {
  const State& s = *state_;
  const std::shared_lock<Gate> hold(s.gate);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t slot = s.map.find(s.columns.ids.as<std::uint64_t>(), ids[i]);
    if (slot == IdMap::kNone) throw Error(ErrorCode::kNotFound, "There is no id " + std::to_string(ids[i]) + ".");
    float* to = out + i * s.options.dim;
    if (!s.fitted) {
      std::copy(s.staged(slot), s.staged(slot) + s.options.dim, to);
      continue;
    }
    s.columns.original(s.table, s.grid, slot, to);
  }
}

bool VectorIndex::contains(std::uint64_t id) const {
  const std::shared_lock<Gate> hold(state_->gate);
  return state_->map.find(state_->columns.ids.as<std::uint64_t>(), id) != IdMap::kNone;
}

SearchResult VectorIndex::search(const MatrixView& queries, const SearchOptions& options) const {
  return state_->search(queries, options);
}

std::vector<std::uint64_t> VectorIndex::ids_by_slot(std::vector<bool>& dead) const {
  const State& s = *state_;
  const std::shared_lock<Gate> hold(s.gate);
  const std::uint64_t* ids = s.columns.ids.as<std::uint64_t>();
  dead.resize(s.columns.count());
  for (std::size_t slot = 0; slot < dead.size(); ++slot) dead[slot] = s.columns.is_dead(slot);
  return {ids, ids + dead.size()};
}

std::size_t VectorIndex::size() const noexcept {
  const std::shared_lock<Gate> hold(state_->gate);
  return state_->live;
}

std::size_t VectorIndex::slots() const noexcept { return state_->columns.count(); }

const IndexOptions& VectorIndex::options() const noexcept { return state_->options; }

IndexStats VectorIndex::stats() const {
  const State& s = *state_;
  const std::shared_lock<Gate> hold(s.gate);
  const Columns& c = s.columns;
  IndexStats out;
  const std::size_t slots = c.count();
  out.rows = s.live;
  out.slots = slots;
  out.removed = slots - s.live;
  if (s.fitted) {
    out.codes_bytes = slots * c.codes.row_bytes();
    out.residual_bytes = slots * (c.residuals.row_bytes() + c.scales.row_bytes());
    out.vector_bytes = slots * c.raw.row_bytes();
    out.link_bytes = slots * c.links.row_bytes();
  }
  out.vector_bytes += s.staging.size() * sizeof(float);
  out.id_bytes = slots * c.ids.row_bytes() + s.map.bytes();
  out.other_bytes = slots * (c.extra.row_bytes() + c.norms.row_bytes()) + slots / 8 +
                    (s.free_slots.capacity() + s.removed.capacity()) * sizeof(std::uint32_t);
  SearchOptions usual;
  const State::Plan plan = s.plan(usual, State::Chosen{});
  out.graph = plan.graph;
  out.default_ef = plan.ef;
  for (const Calibration& each : s.calibration) {
    if (each.ef <= static_cast<float>(plan.ef)) out.default_recall = static_cast<double>(each.recall);
  }
  if (!plan.graph) out.default_recall = 1.0;
  out.fine = s.graph.fine();
  out.refits = s.refits;
  return out;
}

void VectorIndex::optimize(std::size_t threads) {
  const Writing hold(state_->writer);
  state_->optimize(std::max<std::size_t>(1, threads));
}

}  // namespace mastra
