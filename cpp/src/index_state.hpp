// All that an index is: its columns, grid, graph and the locks around them. Methods are grouped by file:
// rows in vector_index.cpp, searching in index_search.cpp, fitting and linking in index_tuning.cpp,
// measuring in index_measure.cpp, files in index_file.cpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "columns.hpp"
#include "gate.hpp"
#include "graph.hpp"
#include "grid.hpp"
#include "id_map.hpp"
#include "kernels/dispatch.hpp"
#include "mastra/vector_index.hpp"
#include "scratch.hpp"

namespace mastra {

// Below this many rows nothing is fitted: rows stay as they came and are compared exactly.
constexpr std::size_t kFitRows = 1024;
constexpr std::size_t kMaxSlots = 0x7fffffffU;
constexpr double kDefaultRecall = 0.97;
constexpr float kNudge = 0.05F;   // how far a query that is tried lies beside its row, in steps of the grid
constexpr double kHopCost = 2.2;  // of a distance of a walk, in rows of a sequential scan of 4-bit codes; measured

// How many of the best by code are scored again. Few dimensions average less of a code's error away; who walks
// wide wants it exact.
inline std::size_t kept_for(std::size_t k, std::size_t dim, std::size_t ef = 0) {
  return std::max(std::max<std::size_t>(3 * k, 30) + std::min<std::size_t>(128, 3000 / dim), ef / 2);
}

// What a walk of this width found of the true neighbours of the index's own rows, and what it cost.
struct Calibration {
  float ef = 0;
  float recall = 0;
  float distances = 0;
};

class AppendLog;  // index_log.hpp
class Mapping;    // mapping.hpp

class VectorIndex::State {
 public:
  explicit State(const IndexOptions& options_);
  ~State();

  // ---- rows (writer held)
  std::vector<std::uint64_t> add(const MatrixView& rows, const std::uint64_t* ids, bool upsert, std::size_t threads);
  void insert(const MatrixView& rows, const std::vector<std::uint64_t>& ids, std::size_t threads);
  std::vector<std::uint32_t> take_slots(std::size_t count);
  std::size_t remove(const std::uint64_t* ids, std::size_t count, bool strict);
  void erase(const std::vector<std::uint32_t>& slots);
  void restart();

  // ---- searching (gate shared)
  struct Plan {
    bool graph = false;
    std::size_t ef = 0;
    bool watch = false;     // a query that turns out to lie far from the rows is searched again, with
    std::size_t far_ef = 0;  // this width, or by scan
  };
  struct Chosen {  // the rows a filter lets through
    bool filtered = false;
    std::vector<std::uint64_t> bits;
    std::vector<std::uint32_t> slots;
    Allowed allowed;
  };
  SearchResult search(const MatrixView& queries, const SearchOptions& options) const;
  SearchResult search_decoded(const MatrixView& queries, const SearchOptions& options, const Chosen& chosen) const;
  Chosen choose_rows(const Filter& filter) const;
  Plan plan(const SearchOptions& options, const Chosen& chosen) const;
  std::size_t width_for(double recall, std::size_t k) const;
  double walk_cost(std::size_t ef) const;
  bool walk(Scratch& scratch, const SearchOptions& options, const Chosen& chosen, std::size_t ef,
            std::size_t width) const;
  double nearness(const FoldedQuery& query, float score) const;
  void search_one(const float* query, const SearchOptions& options, const Chosen& chosen, const Plan& plan,
                  std::size_t width, Scratch& scratch, std::uint64_t* ids, float* scores) const;
  void scan(Scratch& scratch, const Chosen& chosen, std::size_t keep) const;
  void scan_staged(const float* query, Scratch& scratch, const Chosen& chosen, std::size_t keep) const;
  void refine(Scratch& scratch, std::size_t width, bool from_walk) const;

  // ---- fitting and tuning (writer held)
  void fit(const MatrixView& incoming, std::size_t threads);
  void refit(std::size_t threads);
  bool wants_refit() const;
  void encode_again(std::size_t threads);
  bool codes_mislead() const;
  void link(const std::vector<std::uint32_t>& slots, std::size_t threads);
  void choose_pivots();
  bool longer_than_pivots(const std::vector<std::uint32_t>& slots) const;
  void repair(std::size_t threads);
  void optimize(std::size_t threads);

  // ---- measuring (writer held)
  void tune(bool always);
  struct Probe {  // a query with its true neighbours but one
    std::vector<float> query;
    std::uint32_t besides;
    std::vector<Scored> truth;
  };
  std::vector<Probe> near_probes(Scratch& scratch, std::mt19937_64& random) const;
  std::vector<Probe> far_probes(Scratch& scratch, const std::vector<Probe>& near, std::mt19937_64& random) const;
  std::vector<Scored> truth_of(Scratch& scratch, const float* query, std::uint32_t besides) const;
  double found_by_walk(Scratch& scratch, const Probe& probe, std::size_t ef) const;
  double found_by_scan(Scratch& scratch, const Probe& probe, std::size_t keep) const;
  std::vector<Calibration> measure_curve(Scratch& scratch, const std::vector<Probe>& near,
                                         const std::vector<Probe>& far, double bar) const;
  std::size_t measure_far(Scratch& scratch, const std::vector<Probe>& far) const;
  std::size_t measure_scan(Scratch& scratch, const std::vector<Probe>& near, const std::vector<Probe>& far) const;

  const float* staged(std::size_t slot) const { return staging.data() + slot * options.dim; }

  IndexOptions options;
  const kernels::KernelTable& table;
  std::unique_ptr<Mapping> mapping;  // outlives the columns that borrow from it
  Columns columns;
  Grid grid;
  Graph graph;
  IdMap map;
  std::vector<float> staging;               // rows by slot, while nothing is fitted
  std::vector<std::uint32_t> free_slots;    // nothing points to them
  std::vector<std::uint32_t> removed;       // still in the graph
  std::size_t live = 0;
  std::uint64_t next_id = 0;
  bool fitted = false;
  bool graph_ready = false;
  std::size_t fit_rows = 0;      // rows there at the last fit
  double fit_error = 0.0;        // mean residual scale at the last fit, of the rows it was fitted to
  double late_error = 0.0;       // sum of residual scales since
  std::size_t late_rows = 0;
  std::size_t refits = 0;
  std::vector<Calibration> calibration;
  std::size_t calibrated_rows = 0;
  double far_bar = -std::numeric_limits<double>::infinity();  // a query whose best row is no nearer than this is far
  std::size_t far_width = 0;     // what such queries are searched with; 0: by scan
  std::size_t scan_width = 0;    // rows that a scan for ten scores again; 0: as kept_for says

  std::string path;              // of an opened file
  bool read_only = false;
  std::uint64_t generation = 0;
  std::unique_ptr<AppendLog> log;

  mutable Gate gate;
  mutable std::mutex writer;
  mutable ScratchPool scratches;
};

}  // namespace mastra
