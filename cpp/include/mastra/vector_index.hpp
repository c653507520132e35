// An index of vectors: nearest neighbours by cosine, dot product or Euclidean distance.
//
// Purpose: add, replace, remove and search vectors of one width, in memory and in one file.
// Ownership: an index owns its memory; arguments are borrowed for the call.
// Thread safety: any number of searches run at once, also while one thread adds or removes; changes queue up
// behind each other. An id whose add has returned is found; an id whose remove has returned is not given.
// Every refused call leaves the index as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mastra/exact_search.hpp"
#include "mastra/metric.hpp"

namespace mastra {

// What is kept of a vector beside its 4-bit code: an 8-bit residual, a 4-bit one, or the vector itself.
enum class Storage : unsigned char { kDefault = 0, kCompact = 1, kF16 = 2, kF32 = 3 };

Storage storage_named(const std::string& name);
const char* storage_name(Storage storage) noexcept;

struct IndexOptions {
  std::size_t dim = 0;
  Metric metric = Metric::kCosine;
  Storage storage = Storage::kDefault;
  std::uint64_t seed = 1;
  bool allow_zero = false;  // cosine: accept the zero vector, at cosine 0 to everything
};

// Which rows may be answers. At most one of the two is set.
struct Filter {
  const std::uint64_t* bits = nullptr;  // by slot; (slots + 63) / 64 words
  std::size_t slots = 0;
  const std::uint64_t* ids = nullptr;
  std::size_t id_count = 0;
};

struct SearchOptions {
  std::size_t k = 10;
  std::size_t ef = 0;     // candidates kept; 0: chosen for `recall`
  double recall = 0.0;    // 0: the default
  std::size_t threads = 1;
  Filter filter;
};

// The answers of a batch: `width` columns a query, min(k, rows that may be answers).
struct SearchResult {
  std::size_t width = 0;
  std::vector<std::uint64_t> ids;
  std::vector<float> scores;
};

struct IndexStats {
  std::size_t rows = 0;      // live
  std::size_t slots = 0;     // rows that a mask must cover
  std::size_t removed = 0;   // slots to be used again
  std::size_t codes_bytes = 0;
  std::size_t residual_bytes = 0;
  std::size_t vector_bytes = 0;
  std::size_t link_bytes = 0;
  std::size_t id_bytes = 0;
  std::size_t other_bytes = 0;
  std::size_t default_ef = 0;
  double default_recall = 0.0;  // as calibrated on the index's own rows
  bool graph = false;           // searched by graph, not by scan
  bool fine = false;            // 4-bit codes do not fit these data: the graph walks on refined scores
  std::size_t refits = 0;
};

class VectorIndex {
 public:
  // Throws Error(kInvalidArgument) for dim 0 or above kMaxDim.
  explicit VectorIndex(const IndexOptions& options);
  ~VectorIndex();
  VectorIndex(VectorIndex&&) noexcept;
  VectorIndex& operator=(VectorIndex&&) = delete;
  VectorIndex(const VectorIndex&) = delete;
  VectorIndex& operator=(const VectorIndex&) = delete;

  // Opens a saved index and replays its append log. Throws Error(kCorrupt) naming file and offset,
  // kUnsupported for a newer format, kIo when the system refuses.
  static VectorIndex open(const std::string& path, bool mmap, bool read_only, bool sync);

  // ids: null gives the next free ones. Returns the ids. Throws Error, having changed nothing:
  // kDimensionMismatch; kInvalidArgument for numbers that are not finite, a zero vector under cosine, an id
  // twice in the batch; kAlreadyExists without upsert; kLimit past 2^32 - 2 slots.
  std::vector<std::uint64_t> add(const MatrixView& rows, const std::uint64_t* ids, bool upsert, std::size_t threads);
  // Returns how many were there. With `strict`, throws Error(kNotFound) for an unknown id, having changed nothing.
  std::size_t remove(const std::uint64_t* ids, std::size_t count, bool strict);
  // dim floats an id. Throws Error(kNotFound).
  void get(const std::uint64_t* ids, std::size_t count, float* out) const;
  [[nodiscard]] bool contains(std::uint64_t id) const;

  [[nodiscard]] SearchResult search(const MatrixView& queries, const SearchOptions& options) const;

  // Ids by slot, as masks see them; removed slots are marked in `dead` bits.
  [[nodiscard]] std::vector<std::uint64_t> ids_by_slot(std::vector<bool>& dead) const;
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] std::size_t slots() const noexcept;  // what a mask must cover
  [[nodiscard]] IndexStats stats() const;
  [[nodiscard]] const IndexOptions& options() const noexcept;

  // Fits the grid anew, drops removed rows (slots are renumbered in order), repairs links, gives memory back.
  void optimize(std::size_t threads);

  // Writes one file, atomically; the file it replaces stays beside it as path.prev.
  void save(const std::string& path);

  class State;

 private:
  explicit VectorIndex(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mastra
