// The vector index as a Python class.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "arrays.hpp"
#include "bind.hpp"
#include "mastra/error.hpp"
#include "mastra/vector_index.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Ids = py::array_t<std::uint64_t>;
using Found = py::typing::Tuple<Ids, py::array_t<float>>;

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::kInvalidArgument, why); }

std::size_t positive(std::int64_t value, const char* what) {
  if (value < 1) refuse(std::string(what) + " must be at least 1.");
  return static_cast<std::size_t>(value);
}

std::size_t threads_of(std::int64_t threads) { return std::min<std::size_t>(positive(threads, "threads"), 256); }

// Eight bools at a time: each becomes 0 or 1, and one product brings the eight low bits side by side.
void gather_bits(const std::uint8_t* from, std::size_t count, std::uint64_t* to) {
  constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7fULL;
  for (std::size_t i = 0; i < count; i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, from + i, 8);
    eight = ((((eight & kLow) + kLow) | eight) >> 7U) & 0x0101010101010101ULL;
    to[i / 64] |= ((eight * 0x0102040810204080ULL) >> 56U) << (i % 64);
  }
}

// A mask by slot (bool), packed bits by slot (uint8, the low bit first) or ids (64-bit integers, or a list).
struct Where {
  std::vector<std::uint64_t> bits;
  std::vector<std::uint64_t> ids;
  Filter filter;

  explicit Where(const py::object& where, std::size_t slots) {
    if (where.is_none()) return;
    const Buffer buffer(where, "where");
    if (!buffer.single()) refuse("where must have one axis.");
    const std::size_t n = buffer.width();
    if (buffer.kind() == '?' || buffer.kind() == 'B') {
      const bool packed = buffer.kind() == 'B';
      if (packed ? n != (slots + 7) / 8 : n != slots) {
        refuse("where covers " + std::to_string(n) + (packed ? " bytes" : " slots") + ", the index has " +
               std::to_string(slots) + " slots.");
      }
      bits.assign((slots + 63) / 64 + 1, 0);
      std::size_t done = 0;
      if (buffer.plain()) {
        done = n / 8 * 8;
        if (packed) {
          std::memcpy(bits.data(), buffer.data(), done);
        } else {
          gather_bits(buffer.data(), done, bits.data());
        }
      }
      for (std::size_t i = done; i < n; ++i) {
        const std::uint64_t byte = *buffer.at(0, i);
        if (packed) {
          bits[i / 8] |= byte << (8 * (i % 8));
        } else {
          bits[i / 64] |= static_cast<std::uint64_t>(byte != 0) << (i % 64);
        }
      }
      filter.bits = bits.data();
      filter.slots = slots;
      return;
    }
    ids = n == 0 ? std::vector<std::uint64_t>() : ids_from(where, "where");
    ids.reserve(1);
    filter.ids = ids.data();
    filter.id_count = ids.size();
  }
};

template <class T>
py::array_t<T> as_array(const std::vector<T>& values, bool single, std::size_t rows, std::size_t width) {
  py::array_t<T> out = single ? py::array_t<T>(static_cast<py::ssize_t>(width))
                              : py::array_t<T>({static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(width)});
  if (!values.empty()) std::memcpy(out.mutable_data(), values.data(), values.size() * sizeof(T));
  return out;
}

Found search(const VectorIndex& index, const py::object& queries, std::int64_t k, std::optional<std::int64_t> ef,
             std::int64_t threads, const py::object& where, std::optional<double> recall) {
  SearchOptions options;
  options.k = positive(k, "k");
  if (ef) options.ef = positive(*ef, "ef");
  if (recall && !(*recall > 0.0 && *recall <= 1.0)) refuse("recall must lie above 0 and not above 1.");
  options.recall = recall.value_or(0.0);
  options.threads = threads_of(threads);
  const FloatRows rows(queries, "queries");
  const Where chosen(where, where.is_none() ? 0 : index.slots());
  options.filter = chosen.filter;
  SearchResult found;
  {
    const py::gil_scoped_release unlock;
    found = index.search(rows.view(), options);
  }
  return py::make_tuple(as_array(found.ids, rows.single(), rows.view().rows, found.width),
                        as_array(found.scores, rows.single(), rows.view().rows, found.width));
}

Ids add(VectorIndex& index, const py::object& vectors, const py::object& ids, bool upsert, std::int64_t threads) {
  const FloatRows rows(vectors, "vectors");
  std::vector<std::uint64_t> given;
  if (!ids.is_none()) {
    given = ids_from(ids, "ids");
    if (given.size() != rows.view().rows) {
      refuse("There are " + std::to_string(rows.view().rows) + " vectors and " + std::to_string(given.size()) +
             " ids.");
    }
    given.reserve(1);
  }
  if (rows.view().rows == 0 || (rows.view().dim == 0 && rows.single())) return as_array<std::uint64_t>({}, true, 0, 0);
  const std::size_t workers = threads_of(threads);
  std::vector<std::uint64_t> out;
  {
    const py::gil_scoped_release unlock;
    out = index.add(rows.view(), ids.is_none() ? nullptr : given.data(), upsert, workers);
  }
  return as_array(out, true, 1, out.size());
}

std::size_t remove(VectorIndex& index, const py::object& ids, bool missing_ok) {
  const std::vector<std::uint64_t> gone = ids_from(ids, "ids");
  const py::gil_scoped_release unlock;
  return index.remove(gone.data(), gone.size(), !missing_ok);
}

py::array_t<float> get(const VectorIndex& index, const py::object& ids) {
  const std::vector<std::uint64_t> wanted = ids_from(ids, "ids");
  const std::size_t dim = index.options().dim;
  std::vector<float> out(wanted.size() * dim);
  {
    const py::gil_scoped_release unlock;
    index.get(wanted.data(), wanted.size(), out.data());
  }
  return as_array(out, PyLong_Check(ids.ptr()) != 0, wanted.size(), dim);
}

Ids live_ids(const VectorIndex& index) {
  std::vector<bool> dead;
  const std::vector<std::uint64_t> all = index.ids_by_slot(dead);
  std::vector<std::uint64_t> out;
  for (std::size_t slot = 0; slot < all.size(); ++slot) {
    if (!dead[slot]) out.push_back(all[slot]);
  }
  return as_array(out, true, 1, out.size());
}

using Slots = py::typing::Tuple<Ids, py::array_t<bool>>;

Slots slots(const VectorIndex& index) {
  std::vector<bool> dead;
  const std::vector<std::uint64_t> all = index.ids_by_slot(dead);
  py::array_t<bool> used(static_cast<py::ssize_t>(all.size()));
  for (std::size_t slot = 0; slot < all.size(); ++slot) used.mutable_data()[slot] = !dead[slot];
  return py::make_tuple(as_array(all, true, 1, all.size()), used);
}

using Stats = py::typing::Dict<py::str, py::object>;

Stats stats(const VectorIndex& index) {
  const IndexStats s = index.stats();
  py::dict bytes;
  bytes["codes"] = s.codes_bytes;
  bytes["residuals"] = s.residual_bytes;
  bytes["vectors"] = s.vector_bytes;
  bytes["links"] = s.link_bytes;
  bytes["ids"] = s.id_bytes;
  bytes["other"] = s.other_bytes;
  const std::size_t total =
      s.codes_bytes + s.residual_bytes + s.vector_bytes + s.link_bytes + s.id_bytes + s.other_bytes;
  Stats out;
  out["rows"] = s.rows;
  out["slots"] = s.slots;
  out["removed"] = s.removed;
  out["dim"] = index.options().dim;
  out["metric"] = metric_name(index.options().metric);
  out["storage"] = storage_name(index.options().storage);
  out["bytes"] = bytes;
  out["total_bytes"] = total;
  out["bytes_per_vector"] = s.rows == 0 ? 0.0 : static_cast<double>(total) / static_cast<double>(s.rows);
  out["searched_by"] = s.graph ? "graph" : "scan";
  out["default_ef"] = s.default_ef;
  out["calibrated_recall"] = s.default_recall;
  out["refined_walk"] = s.fine;
  out["refits"] = s.refits;
  out["kernel"] = active_kernel();
  return out;
}

std::unique_ptr<VectorIndex> make(std::int64_t dim, const std::string& metric, const std::string& storage,
                                  std::uint64_t seed, bool allow_zero) {
  IndexOptions options;
  if (dim < 1) refuse("dim must be at least 1.");
  options.dim = static_cast<std::size_t>(dim);
  options.metric = metric_named(metric);
  options.storage = storage_named(storage);
  options.seed = seed;
  options.allow_zero = allow_zero;
  return std::make_unique<VectorIndex>(options);
}

std::unique_ptr<VectorIndex> open(const py::object& path, bool mmap, bool read_only, bool sync) {
  const std::string name = py::cast<std::string>(py::module_::import("os").attr("fspath")(path));
  const py::gil_scoped_release unlock;
  return std::make_unique<VectorIndex>(VectorIndex::open(name, mmap, read_only, sync));
}

void save(VectorIndex& index, const py::object& path) {
  const std::string name = py::cast<std::string>(py::module_::import("os").attr("fspath")(path));
  const py::gil_scoped_release unlock;
  index.save(name);
}

}  // namespace

void bind_vector_index(py::module_& module) {
  py::class_<VectorIndex>(module, "VectorIndex",
                          "Nearest neighbours among vectors of one width, in memory and in one file.\n\n"
                          "metric: cosine, dot or l2 (squared distance). storage: default (8-bit residuals), compact\n"
                          "(4-bit), f16 or f32 (the vectors themselves). Any thread may search while another changes.")
      .def(py::init(&make), py::arg("dim"), py::kw_only(), py::arg("metric") = "cosine",
           py::arg("storage") = "default", py::arg("seed") = 1, py::arg("allow_zero") = false)
      .def_static("open", &open, py::arg("path"), py::kw_only(), py::arg("mmap") = true,
                  py::arg("read_only") = false, py::arg("sync") = true,
                  "Opens a saved index. Every later add and remove is appended to path.log before it returns, and\n"
                  "flushed to the disk unless sync=False; save(path) folds the log into the file.")
      .def("add", &add, py::arg("vectors"), py::arg("ids") = py::none(), py::kw_only(), py::arg("upsert") = false,
           py::arg("threads") = 1, "Adds one vector or rows of them; gives their ids. A refused batch changes nothing.")
      .def("search", &search, py::arg("queries"), py::arg("k") = 10, py::arg("ef") = py::none(),
           py::arg("threads") = 1, py::arg("where") = py::none(), py::kw_only(), py::arg("recall") = py::none(),
           "The k nearest of each query, best first: (ids, scores). A 1-d query gives 1-d answers.\n\n"
           "Scores: cosine and dot, the larger the better; l2, the squared distance. Give `ef` (rows kept while\n"
           "searching) or `recall` (0..1, from the index's own calibration), or neither. `where` limits the answers:\n"
           "bool by slot, packed bits by slot (uint8, low bit first) or ids. Fewer rows than k give fewer columns.")
      .def("remove", &remove, py::arg("ids"), py::kw_only(), py::arg("missing_ok") = false,
           "Removes ids; gives how many were there. An unknown id raises unless missing_ok, and nothing is removed.")
      .def("get", &get, py::arg("ids"),
           "The vectors of ids, as near as they are stored: exact with storage f32, to 12 bits by default.")
      .def("ids", &live_ids, "The ids there are.")
      .def("slots", &slots, "(ids by slot, bool by slot: in use): the order that masks follow.")
      .def("stats", &stats, "Rows, bytes by category, and how the index searches.")
      .def(
          "optimize",
          [](VectorIndex& index, std::int64_t threads) {
            const std::size_t workers = threads_of(threads);
            const py::gil_scoped_release unlock;
            index.optimize(workers);
          },
          py::kw_only(), py::arg("threads") = 1,
          "Fits the codes anew, closes the gaps of removed rows (slots are numbered again, in order), gives memory back.")
      .def("save", &save, py::arg("path"),
           "Writes one file, atomically; the file it replaces stays beside it as path.prev.")
      .def("__len__", &VectorIndex::size)
      .def("__contains__",
           [](const VectorIndex& index, const py::object& id) {
             if (PyLong_Check(id.ptr()) == 0) return false;
             const std::uint64_t value = PyLong_AsUnsignedLongLong(id.ptr());
             if (PyErr_Occurred() != nullptr) {
               PyErr_Clear();
               return false;
             }
             return index.contains(value);
           })
      .def_property_readonly("dim", [](const VectorIndex& index) { return index.options().dim; })
      .def_property_readonly("metric", [](const VectorIndex& index) { return metric_name(index.options().metric); })
      .def_property_readonly("storage", [](const VectorIndex& index) { return storage_name(index.options().storage); });
}

}  // namespace mastra::bindings
