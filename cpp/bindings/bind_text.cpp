// Words, the full-text index, fused rankings, picks, token estimates.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "list_builder.hpp"
#include "mastra/bm25.hpp"
#include "mastra/mmr.hpp"
#include "mastra/rank_fusion.hpp"
#include "mastra/token_estimate.hpp"
#include "mastra/tokenize.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Words = std::vector<std::string>;
using Ids = std::unordered_set<std::string>;
using Hits = std::vector<std::pair<std::string, float>>;

std::function<bool(std::string_view)> among(const std::optional<Ids>& only) {
  if (!only) return {};
  return [&ids = *only](std::string_view id) { return ids.count(std::string(id)) != 0; };
}

Hits pairs(std::vector<Bm25Hit> hits) {
  Hits out;
  out.reserve(hits.size());
  for (Bm25Hit& hit : hits) out.emplace_back(std::move(hit.id), hit.score);
  return out;
}

void bind_index(py::module_& module) {
  using Free = py::call_guard<py::gil_scoped_release>;
  py::class_<Bm25Index>(module, "Bm25Index",
                        "A full-text index scored by BM25, for any script. Documents may be added, replaced and removed\n"
                        "at any time; scores are exact at every moment. For any thread.")
      .def(py::init([](float k1, float b) { return std::make_unique<Bm25Index>(Bm25Options{k1, b}); }), py::kw_only(),
           py::arg("k1") = Bm25Options{}.k1, py::arg("b") = Bm25Options{}.b)
      .def("add", [](Bm25Index& self, const std::string& id, const std::string& text) { self.add(id, text); }, Free(), py::arg("id"),
           py::arg("text"), "Adds the document, in place of the one with this id if there is one.")
      .def("add_words", [](Bm25Index& self, const std::string& id, const Words& words) { self.add_words(id, words); }, Free(),
           py::arg("id"), py::arg("words"), "The same for words that you have cut yourself.")
      .def("remove", [](Bm25Index& self, const std::string& id) { return self.remove(id); }, Free(), py::arg("id"),
           "Takes the document out; whether it was there.")
      .def("clear", &Bm25Index::clear, Free(), "Takes every document out.")
      .def("search",
           [](const Bm25Index& self, const std::string& question, std::size_t k, const std::optional<Ids>& only) {
             return pairs(self.search(question, k, among(only)));
           },
           Free(), py::arg("question"), py::arg("k") = 10, py::kw_only(), py::arg("only") = py::none(),
           "The best `k` documents and their scores, best first; with `only`, of these ids.")
      .def("search_words",
           [](const Bm25Index& self, const Words& words, std::size_t k, const std::optional<Ids>& only) {
             return pairs(self.search_words(words, k, among(only)));
           },
           Free(), py::arg("words"), py::arg("k") = 10, py::kw_only(), py::arg("only") = py::none(),
           "The same for words that you have cut yourself.")
      .def("__contains__", [](const Bm25Index& self, const std::string& id) { return self.contains(id); }, py::arg("id"))
      .def("__len__", &Bm25Index::size)
      .def_property_readonly("vocabulary", &Bm25Index::vocabulary, "How many different words there are.");
}

// Borrows a C-contiguous buffer of float32 with `dimensions` dimensions.
py::buffer_info floats(const py::buffer& buffer, py::ssize_t dimensions, const char* what) {
  py::buffer_info info = buffer.request();
  bool contiguous = true;
  py::ssize_t stride = sizeof(float);
  for (py::ssize_t at = info.ndim; at-- > 0;) {
    const auto index = static_cast<std::size_t>(at);
    contiguous = contiguous && (info.shape[index] <= 1 || info.strides[index] == stride);
    stride *= info.shape[index];
  }
  if (info.ndim != dimensions || info.format != py::format_descriptor<float>::format() || !contiguous) {
    throw Error(ErrorCode::kInvalidArgument, std::string(what) + " must be contiguous float32 in " + std::to_string(dimensions) +
                                                 (dimensions == 1 ? " dimension" : " dimensions"));
  }
  return info;
}

std::vector<std::size_t> mmr(const py::buffer& question, const py::buffer& vectors, std::size_t k, float balance) {
  const py::buffer_info one = floats(question, 1, "question");
  const py::buffer_info many = floats(vectors, 2, "vectors");
  if (one.shape[0] != many.shape[1]) {
    throw Error(ErrorCode::kDimensionMismatch, "the question has " + std::to_string(one.shape[0]) + " numbers and the vectors " +
                                                   std::to_string(many.shape[1]));
  }
  const py::gil_scoped_release free;
  return maximal_marginal_relevance(static_cast<const float*>(one.ptr), static_cast<const float*>(many.ptr),
                                    static_cast<std::size_t>(many.shape[0]), static_cast<std::size_t>(many.shape[1]), k, balance);
}

using Rankings = py::typing::Iterable<py::typing::Iterable<py::object>>;
using Fused = py::typing::List<py::typing::Tuple<py::object, py::float_>>;

// Any hashable objects become the numbers that the core fuses, and come back.
Fused fused(const Rankings& rankings, const std::optional<std::vector<double>>& weights, double k) {
  std::vector<py::object> items;
  std::vector<std::vector<std::uint32_t>> numbered;
  py::dict numbers;
  for (const py::handle ranking : rankings) {
    std::vector<std::uint32_t>& row = numbered.emplace_back();
    for (const py::handle item : py::reinterpret_borrow<py::iterable>(ranking)) {
      PyObject* number = PyDict_GetItemWithError(numbers.ptr(), item.ptr());
      if (number == nullptr) {
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        const py::int_ next(items.size());
        if (PyDict_SetItem(numbers.ptr(), item.ptr(), next.ptr()) != 0) throw py::error_already_set();
        items.push_back(py::reinterpret_borrow<py::object>(item));
        row.push_back(static_cast<std::uint32_t>(items.size() - 1));
      } else {
        row.push_back(static_cast<std::uint32_t>(PyLong_AsUnsignedLong(number)));
      }
    }
  }
  const auto ranked = fuse_ranks(numbered, weights ? *weights : std::vector<double>(numbered.size(), 1.0), k, items.size());
  ListBuilder out;
  for (const FusedItem& each : ranked) out.append(py::make_tuple(items[each.item], each.score).release().ptr());
  return py::reinterpret_steal<Fused>(out.take());
}

std::size_t tokens(const py::str& text, const std::string& encoding) {
  const bool first = encoding == "cl100k_base";
  if (!first && encoding != "o200k_base") {
    throw Error(ErrorCode::kInvalidArgument, "there is no token estimate for '" + encoding + "'; known: cl100k_base, o200k_base");
  }
  Py_ssize_t size = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  py::object replaced;
  if (bytes == nullptr) {
    // Half a character, as a cut JSON escape leaves it, is a mark.
    PyErr_Clear();
    replaced = py::reinterpret_steal<py::object>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "replace"));
    if (!replaced) throw py::error_already_set();
    bytes = PyBytes_AS_STRING(replaced.ptr());
    size = PyBytes_GET_SIZE(replaced.ptr());
  }
  return estimate_tokens({bytes, static_cast<std::size_t>(size)}, first ? TokenEncoding::kCl100k : TokenEncoding::kO200k);
}

}  // namespace

void bind_text(py::module_& module) {
  bind_index(module);
  module.def("tokenize", [](const std::string& text) { return words_of(text); }, py::arg("text"),
             "The words of a text as the index sees them: folded, in any script.");
  module.def("estimate_tokens", &tokens, py::arg("text"), py::arg("encoding") = "o200k_base",
             "About how many tokens `text` has in cl100k_base or o200k_base, without their vocabularies.");
  module.def("fuse_ranks", &fused, py::arg("rankings"), py::kw_only(), py::arg("weights") = py::none(), py::arg("k") = 60.0,
             "Reciprocal-rank fusion: one ranking out of several, whatever their scores mean.");
  module.def("mmr", &mmr, py::arg("question"), py::arg("vectors"), py::arg("k"), py::kw_only(), py::arg("balance") = 0.5F,
             "The numbers of the `k` rows that are near the question and unlike each other, in order of picking.\n\n"
             "`balance` 1 looks at nearness only, 0 at unlikeness only. Both arguments are float32 buffers (numpy arrays).");
}

}  // namespace mastra::bindings
