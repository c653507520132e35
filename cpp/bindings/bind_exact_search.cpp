// Exact search over the rows of an array.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/typing.h>

#include <algorithm>
#include <string>

#include "arrays.hpp"
#include "bind.hpp"
#include "mastra/error.hpp"
#include "mastra/exact_search.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Found = py::typing::Tuple<py::array_t<std::uint64_t>, py::array_t<float>>;

Found search(const py::object& base, const py::object& queries, std::int64_t k, const std::string& metric,
             std::int64_t threads) {
  if (k < 1) throw Error(ErrorCode::kInvalidArgument, "k must be at least 1.");
  if (threads < 1) throw Error(ErrorCode::kInvalidArgument, "threads must be at least 1.");
  const Metric kind = metric_named(metric);
  const FloatRows rows(base, "base");
  const FloatRows asked(queries, "queries");
  if (rows.single()) throw Error(ErrorCode::kInvalidArgument, "base must have two axes.");
  const std::size_t wide = std::min(static_cast<std::size_t>(k), rows.view().rows);
  std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(wide)};
  if (!asked.single()) shape.insert(shape.begin(), static_cast<py::ssize_t>(asked.view().rows));
  py::array_t<std::uint64_t> ids(shape);
  py::array_t<float> scores(shape);
  std::uint64_t* to_ids = ids.mutable_data();
  float* to_scores = scores.mutable_data();
  {
    const py::gil_scoped_release unlock;
    exact_search(kind, rows.view(), asked.view(), static_cast<std::size_t>(k),
                 std::min<std::size_t>(static_cast<std::size_t>(threads), 256), to_ids, to_scores);
  }
  return py::make_tuple(ids, scores);
}

}  // namespace

void bind_exact_search(py::module_& module) {
  module.def("exact_search", &search, py::arg("base"), py::arg("queries"), py::arg("k") = 10, py::kw_only(),
             py::arg("metric") = "cosine", py::arg("threads") = 1,
             "The k best rows of `base` for each query, best first, by looking at every row: (row numbers, scores).\n\n"
             "Scores: cosine and dot, the larger the better; l2, the squared distance, the smaller the better. Fewer\n"
             "rows than k give fewer columns. A row whose score is not a number is never an answer.");
}

}  // namespace mastra::bindings
