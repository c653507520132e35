// The saved index: one header page, then the columns as they lie in memory. docs/formats/vector-index.md.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "checksum.hpp"
#include "files.hpp"
#include "index_log.hpp"
#include "index_state.hpp"
#include "mapping.hpp"
#include "mastra/error.hpp"

namespace mastra {
namespace {

constexpr char kMagic[8] = {'M', 'A', 'S', 'T', 'R', 'A', 'V', 'X'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kByteOrder = 0x01020304U;
constexpr std::size_t kPage = 4096;
constexpr std::uint64_t kWidest = 4096;  // of the walks and scans that calibration tries
constexpr std::uint32_t kAllowZero = 1, kFitted = 2, kGraph = 4, kFine = 8, kUnitHalves = 16;

enum Section : std::size_t {
  kGrid, kCodes, kResiduals, kScales, kExtra, kNorms, kIds, kLinks, kRaw, kDead, kPivots, kRemoved, kCurve, kStaging,
  kSections
};  // clang-format keeps these on few lines

struct Extent {
  std::uint64_t offset;
  std::uint64_t bytes;
  std::uint64_t check;  // of the bytes and the zeroes up to the next page
};

struct Header {
  char magic[8];
  std::uint32_t version, byte_order;
  std::uint64_t generation, file_bytes;
  std::uint32_t dim, metric, storage, flags;
  std::uint64_t seed, slots, live, next_id, fit_rows, late_rows, calibrated_rows, refits;
  double fit_error, late_error, longest;
  Extent sections[kSections];
  double far_bar;
  std::uint64_t far_width, scan_width;
};
static_assert(sizeof(Header) < kPage - 8 && std::is_trivially_copyable_v<Header>);

struct Part {
  const void* data;
  std::size_t bytes;
};

std::size_t padded(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

[[noreturn]] void corrupt(const std::string& path, std::size_t offset, const std::string& what) {
  throw Error(ErrorCode::kCorrupt, path + " is damaged at offset " + std::to_string(offset) + ": " + what + ".");
}

// The checksum of a part as it will lie in the file, zeroes included.
std::uint64_t check_of(const Part& part) {
  if (part.bytes % kPage == 0) return checksum(part.data, part.bytes);
  const auto* from = static_cast<const std::uint8_t*>(part.data);
  std::vector<std::uint8_t> copy(from, from + part.bytes);
  copy.resize(padded(part.bytes), 0);
  return checksum(copy.data(), copy.size());
}

void write_file(const std::string& path, Header header, const std::array<Part, kSections>& parts) {
  std::uint64_t offset = kPage;
  for (std::size_t i = 0; i < kSections; ++i) {
    header.sections[i] = {offset, parts[i].bytes, check_of(parts[i])};
    offset += padded(parts[i].bytes);
  }
  header.file_bytes = offset;
  std::vector<std::uint8_t> page(kPage, 0);
  std::memcpy(page.data(), &header, sizeof(header));
  const std::uint64_t check = checksum(page.data(), kPage - 8);
  std::memcpy(page.data() + kPage - 8, &check, 8);
  const files::Handle file = files::create(path);
  try {
    files::write_all(file, path, page.data(), kPage);
    const std::vector<std::uint8_t> zeroes(kPage, 0);
    for (const Part& part : parts) {
      files::write_all(file, path, part.data, part.bytes);
      files::write_all(file, path, zeroes.data(), padded(part.bytes) - part.bytes);
    }
    files::flush(file, path);
  } catch (...) {
    files::close(file);
    files::remove(path);
    throw;
  }
  files::close(file);
}

// What an index file or a log says its generation is, right or wrong; 0 when there is none. A file that
// takes their place must have a later one, so that a log of the old file is never taken for its own.
std::uint64_t generation_at(const std::string& path) {
  if (!files::exists(path)) return 0;
  const Mapping file(path, true);
  std::uint64_t out = 0;
  if (file.size() >= 24) std::memcpy(&out, file.data() + 16, 8);
  return out < std::uint64_t{1} << 62U ? out : 0;
}

Header read_header(const std::string& path, const Mapping& file) {
  Header out{};
  if (file.size() < kPage) corrupt(path, file.size(), "the file ends inside its header");
  std::memcpy(&out, file.data(), sizeof(out));
  if (std::memcmp(out.magic, kMagic, sizeof(kMagic)) != 0) corrupt(path, 0, "this is no vector index");
  std::uint64_t check = 0;
  std::memcpy(&check, file.data() + kPage - 8, 8);
  if (checksum(file.data(), kPage - 8) != check) corrupt(path, 0, "the header fails its checksum");
  if (out.byte_order != kByteOrder) corrupt(path, 12, "it was written by a machine of the other byte order");
  if (out.version != kVersion) {
    throw Error(ErrorCode::kUnsupported, path + " has version " + std::to_string(out.version) +
                                             " of the format; this build knows " + std::to_string(kVersion) + ".");
  }
  if (out.file_bytes != file.size()) corrupt(path, file.size(), "the file is shorter or longer than it says");
  if (out.dim == 0 || out.dim > kMaxDim || out.metric > 2 || out.storage > 3 || out.flags > 31) {
    corrupt(path, 32, "a dimension, metric, storage or flag that cannot be");
  }
  const bool sane = std::isfinite(out.fit_error) && std::isfinite(out.late_error) && std::isfinite(out.longest) &&
                    !std::isnan(out.far_bar);
  if (out.slots > kMaxSlots || out.live > out.slots || !sane || out.longest < 0) {
    corrupt(path, 48, "a count that cannot be");
  }
  const bool halves = out.storage == 2 && out.metric == 0 && (out.flags & kFitted) != 0;
  if (halves && (out.flags & kUnitHalves) == 0) {
    throw Error(ErrorCode::kUnsupported, path + " keeps rows of storage f16 under cosine at the length they came in, "
                                                "as early builds did; add them to a new index.");
  }
  if ((out.flags & kFitted) == 0 && (out.flags & (kGraph | kFine)) != 0) corrupt(path, 44, "a graph without a grid");
  return out;
}

// Every section where it must be, of the size it must have, with its checksum.
void check_sections(const std::string& path, const Mapping& file, const Header& header, const Columns& c) {
  const bool fitted = (header.flags & kFitted) != 0;
  const std::size_t n = header.slots, dim = header.dim;
  const std::size_t coded = fitted ? n : 0;
  const std::size_t fixed[kSections] = {
      fitted ? 2 * dim * sizeof(float) : 0, coded * c.codes.row_bytes(), coded * c.residuals.row_bytes(),
      coded * c.scales.row_bytes(), n * 4, coded * 4, n * 8, coded * c.links.row_bytes(), coded * c.raw.row_bytes(),
      (n + 63) / 64 * 8, 0, 0, 0, fitted ? 0 : n * dim * sizeof(float)};
  std::uint64_t offset = kPage;
  for (std::size_t i = 0; i < kSections; ++i) {
    const Extent& at = header.sections[i];
    const bool listed = i == kPivots || i == kRemoved || i == kCurve;
    if (at.offset != offset || at.bytes > file.size() - offset || padded(at.bytes) > file.size() - offset) {
      corrupt(path, kPage - 8, "section " + std::to_string(i) + " is not where it must be");
    }
    if (!listed && at.bytes != fixed[i]) corrupt(path, offset, "section " + std::to_string(i) + " has a wrong size");
    if (listed && at.bytes % (i == kCurve ? sizeof(Calibration) : 4) != 0) corrupt(path, offset, "a broken list");
    if (checksum(file.data() + offset, padded(at.bytes)) != at.check) {
      corrupt(path, offset, "section " + std::to_string(i) + " fails its checksum");
    }
    offset += padded(at.bytes);
  }
  if (offset != file.size()) corrupt(path, offset, "there are bytes after the last section");
}

bool all_finite(const float* x, std::size_t n) {
  std::uint32_t worst = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, x + i, 4);
    worst = std::max(worst, bits & 0x7fffffffU);
  }
  return worst < 0x7f800000U;
}

bool all_below(const std::uint32_t* x, std::size_t n, std::size_t limit) {
  bool fine = true;
  for (std::size_t i = 0; i < n; ++i) fine = fine && (x[i] < limit || x[i] == kNoSlot);
  return fine;
}

// What a file with right checksums could still say wrongly.
void check_values(const std::string& path, const Mapping& file, const Header& header, const Columns& c) {
  const std::size_t n = header.slots;
  const bool fitted = (header.flags & kFitted) != 0;
  const auto at = [&](Section s) { return file.data() + header.sections[s].offset; };
  const auto refuse = [&](Section s, const char* what) { corrupt(path, header.sections[s].offset, what); };
  const auto* dead = reinterpret_cast<const std::uint64_t*>(at(kDead));
  std::size_t gone = 0;
  for (std::size_t i = 0; i < (n + 63) / 64; ++i) gone += static_cast<std::size_t>(std::popcount(dead[i]));
  if (n % 64 != 0 && (dead[n / 64] >> (n % 64)) != 0) refuse(kDead, "a removed row beyond the last");
  if (gone != n - header.live) refuse(kDead, "the number of removed rows is not what the header says");
  const auto floats = [&](Section s) { return reinterpret_cast<const float*>(at(s)); };
  if (!all_finite(floats(kExtra), n)) refuse(kExtra, "a number that is not finite");
  if (!fitted) {
    if (!all_finite(floats(kStaging), n * header.dim)) refuse(kStaging, "a number that is not finite");
    return;
  }
  if (!all_finite(floats(kNorms), n)) refuse(kNorms, "a number that is not finite");
  if (!all_finite(floats(kScales), header.sections[kScales].bytes / 4)) refuse(kScales, "a number that is not finite");
  if (c.storage == Storage::kF32 && !all_finite(floats(kRaw), n * header.dim)) refuse(kRaw, "a number not finite");
  if (c.storage == Storage::kF16) {
    const auto* halves = reinterpret_cast<const std::uint16_t*>(at(kRaw));
    bool fine = true;
    for (std::size_t i = 0; i < n * header.dim; ++i) fine = fine && (halves[i] & 0x7c00U) != 0x7c00U;
    if (!fine) refuse(kRaw, "a number that is not finite");
  }
  const auto slots = [&](Section s) { return reinterpret_cast<const std::uint32_t*>(at(s)); };
  if (!all_below(slots(kLinks), n * kDegree, n)) refuse(kLinks, "a link to a row beyond the last");
  const std::size_t pivots = header.sections[kPivots].bytes / 4, removed = header.sections[kRemoved].bytes / 4;
  for (std::size_t i = 0; i < pivots; ++i) {
    if (slots(kPivots)[i] >= n) refuse(kPivots, "a start beyond the last row");
  }
  if ((header.flags & kGraph) != 0 && (pivots == 0 || pivots > 65536)) refuse(kPivots, "a graph without a start");
  std::vector<bool> seen(n, false);
  for (std::size_t i = 0; i < removed; ++i) {
    const std::uint32_t slot = slots(kRemoved)[i];
    if (slot >= n || seen[slot] || ((dead[slot / 64] >> (slot % 64)) & 1U) == 0) refuse(kRemoved, "a row not removed");
    seen[slot] = true;
  }
  const std::size_t points = header.sections[kCurve].bytes / sizeof(Calibration);
  if (points > 64 || !all_finite(floats(kCurve), points * 3)) refuse(kCurve, "an impossible calibration");
  for (std::size_t i = 0; i < points * 3; ++i) {
    if (floats(kCurve)[i] < 0.0F || floats(kCurve)[i] > 1e12F) refuse(kCurve, "an impossible calibration");
  }
}

}  // namespace

VectorIndex VectorIndex::open(const std::string& path, bool mmap, bool read_only, bool sync) {
  auto file = std::make_unique<Mapping>(path, mmap);
  const Header header = read_header(path, *file);
  IndexOptions options;
  options.dim = header.dim;
  options.metric = static_cast<Metric>(header.metric);
  options.storage = static_cast<Storage>(header.storage);
  options.seed = header.seed;
  options.allow_zero = (header.flags & kAllowZero) != 0;
  auto state = std::make_unique<State>(options);
  State& s = *state;
  check_sections(path, *file, header, s.columns);
  check_values(path, *file, header, s.columns);
  s.fitted = (header.flags & kFitted) != 0;
  s.graph_ready = (header.flags & kGraph) != 0;
  s.graph.set_fine((header.flags & kFine) != 0);
  const auto at = [&](Section part) { return file->data() + header.sections[part].offset; };
  const std::size_t slots = header.slots;
  if (slots > 0) {
    Columns& c = s.columns;
    c.extra.borrow(at(kExtra), slots);
    c.ids.borrow(at(kIds), slots);
    c.dead.borrow(at(kDead), (slots + 63) / 64);
    if (s.fitted) {
      c.codes.borrow(at(kCodes), slots);
      c.residuals.borrow(at(kResiduals), slots);
      c.scales.borrow(at(kScales), slots);
      c.norms.borrow(at(kNorms), slots);
      c.links.borrow(at(kLinks), slots);
      c.raw.borrow(at(kRaw), slots);
    } else {
      c.grow(slots);
      const auto* staged = reinterpret_cast<const float*>(at(kStaging));
      s.staging.assign(staged, staged + slots * options.dim);
    }
    c.rows.store(slots, std::memory_order_release);
  }
  const auto* grid = reinterpret_cast<const float*>(at(kGrid));
  if (s.fitted && !s.grid.restore(grid, grid + options.dim)) {
    corrupt(path, header.sections[kGrid].offset, "a grid that cannot be");
  }
  const auto list = [&](Section part) {
    const auto* from = reinterpret_cast<const std::uint32_t*>(at(part));
    return std::vector<std::uint32_t>(from, from + header.sections[part].bytes / 4);
  };
  s.graph.set_pivots(list(kPivots));
  s.graph.set_longest(static_cast<float>(header.longest));
  s.removed = list(kRemoved);
  const auto* curve = reinterpret_cast<const Calibration*>(at(kCurve));
  s.calibration.assign(curve, curve + header.sections[kCurve].bytes / sizeof(Calibration));
  s.far_bar = header.far_bar;
  s.far_width = std::min<std::uint64_t>(header.far_width, kWidest);
  s.scan_width = std::min<std::uint64_t>(header.scan_width, kWidest);
  s.live = header.live;
  s.next_id = header.next_id;
  s.fit_rows = header.fit_rows;
  s.fit_error = header.fit_error;
  s.late_error = header.late_error;
  s.late_rows = header.late_rows;
  s.calibrated_rows = header.calibrated_rows;
  s.refits = header.refits;
  s.generation = header.generation;
  std::vector<bool> in_graph(slots, false);
  for (const std::uint32_t slot : s.removed) in_graph[slot] = true;
  const std::uint64_t* ids = s.columns.ids.as<std::uint64_t>();
  s.map.reserve(ids, header.live);
  for (std::size_t slot = 0; slot < slots; ++slot) {
    if (s.columns.is_dead(slot)) {
      if (!in_graph[slot]) s.free_slots.push_back(static_cast<std::uint32_t>(slot));
      continue;
    }
    if (s.map.find(ids, ids[slot]) != IdMap::kNone) corrupt(path, header.sections[kIds].offset, "an id comes twice");
    s.map.insert(ids, static_cast<std::uint32_t>(slot));
  }
  s.mapping = std::move(file);
  std::size_t valid = 0;
  const std::string log_path = path + ".log";
  for (const LogRecord& record : AppendLog::read(log_path, options.dim, header.generation, valid)) {
    if (!record.is_add) {
      s.remove(record.ids.data(), record.ids.size(), false);
      continue;
    }
    s.add({record.rows.data(), record.ids.size(), options.dim, options.dim}, record.ids.data(), true, 1);
  }
  s.path = path;
  s.read_only = read_only;
  if (!read_only) s.log = std::make_unique<AppendLog>(log_path, options.dim, header.generation, valid, sync);
  return VectorIndex(std::move(state));
}

void VectorIndex::save(const std::string& path) {
  State& s = *state_;
  const std::lock_guard<std::mutex> writing(s.writer);
  const std::shared_lock<Gate> reading(s.gate);
  const bool own = path == s.path;
  if (own && s.read_only) throw Error(ErrorCode::kInvalidArgument, "The index was opened read-only.");
  const Columns& c = s.columns;
  const std::size_t n = c.count();
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.byte_order = kByteOrder;
  header.generation = std::max(s.generation, own ? 0 : std::max(generation_at(path), generation_at(path + ".log"))) + 1;
  header.dim = static_cast<std::uint32_t>(s.options.dim);
  header.metric = static_cast<std::uint32_t>(s.options.metric);
  header.storage = static_cast<std::uint32_t>(s.options.storage);
  header.flags = (s.options.allow_zero ? kAllowZero : 0) | (s.fitted ? kFitted : 0) | (s.graph_ready ? kGraph : 0) |
                 (s.graph.fine() ? kFine : 0) | kUnitHalves;
  header.seed = s.options.seed;
  header.slots = n;
  header.live = s.live;
  header.next_id = s.next_id;
  header.fit_rows = s.fit_rows;
  header.late_rows = s.late_rows;
  header.calibrated_rows = s.calibrated_rows;
  header.refits = s.refits;
  header.fit_error = s.fit_error;
  header.late_error = s.late_error;
  header.far_bar = s.far_bar;
  header.far_width = s.far_width;
  header.scan_width = s.scan_width;
  header.longest = static_cast<double>(s.graph.longest());
  std::vector<float> grid;
  if (s.fitted) {
    grid.assign(s.grid.centre(), s.grid.centre() + s.options.dim);
    grid.insert(grid.end(), s.grid.step(), s.grid.step() + s.options.dim);
  }
  const std::vector<std::uint32_t>& pivots = s.graph.pivots();
  const auto column = [&](const Arena& arena, bool coded) {
    return Part{arena.data(), coded && !s.fitted ? 0 : n * arena.row_bytes()};
  };
  const std::array<Part, kSections> parts = {
      Part{grid.data(), grid.size() * 4}, column(c.codes, true), column(c.residuals, true), column(c.scales, true),
      column(c.extra, false), column(c.norms, true), column(c.ids, false), column(c.links, true), column(c.raw, true),
      Part{c.dead.data(), (n + 63) / 64 * 8}, Part{pivots.data(), pivots.size() * 4},
      Part{s.removed.data(), s.removed.size() * 4}, Part{s.calibration.data(), s.calibration.size() * sizeof(Calibration)},
      Part{s.staging.data(), s.staging.size() * 4}};
  const std::string fresh = path + ".tmp";
  write_file(fresh, header, parts);
  files::keep(path, path + ".prev");
  files::keep(path + ".log", path + ".prev.log");
  files::rename(fresh, path);
  files::flush_folder_of(path);
  if (own) {
    const bool sync = s.log == nullptr || s.log->sync();
    s.generation = header.generation;
    s.log.reset();  // its lock goes with it
    s.log = std::make_unique<AppendLog>(path + ".log", s.options.dim, s.generation, 0, sync);
    files::flush_folder_of(path);
  }
}

}  // namespace mastra
