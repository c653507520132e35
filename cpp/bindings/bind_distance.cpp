// Distances between vectors or rows of vectors.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <variant>

#include "arrays.hpp"
#include "bind.hpp"
#include "mastra/distance.hpp"
#include "mastra/error.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Floats = py::array_t<float>;

void match(const ElementRows& a, const ElementRows& b) {
  if (a.width() != b.width()) {
    throw Error(ErrorCode::kDimensionMismatch, "a has " + std::to_string(a.width()) + " dimensions, b has " +
                                                   std::to_string(b.width()) + ".");
  }
  if (a.element() != b.element()) {
    throw Error(ErrorCode::kInvalidArgument, "a and b differ in their element type.");
  }
  if (!a.single() && !b.single() && a.rows() != b.rows()) {
    throw Error(ErrorCode::kInvalidArgument, "a and b differ in their number of rows.");
  }
}

// One number for two vectors; otherwise one for each row, a single vector being compared with every row.
template <class Number, class Compare>
std::variant<Number, py::array_t<Number>> compare(py::handle left, py::handle right,
                                                  const std::optional<std::string>& element, Compare pair) {
  const ElementRows a(left, element, "a");
  const ElementRows b(right, element, "b");
  match(a, b);
  if (a.single() && b.single()) return pair(a.element(), a.row(0), b.row(0), a.width());
  const std::size_t rows = a.single() ? b.rows() : a.rows();
  py::array_t<Number> out(static_cast<py::ssize_t>(rows));
  Number* to = out.mutable_data();
  const py::gil_scoped_release unlock;
  for (std::size_t i = 0; i < rows; ++i) {
    to[i] = pair(a.element(), a.row(a.single() ? 0 : i), b.row(b.single() ? 0 : i), a.width());
  }
  return out;
}

void bind_metric(py::module_& module, const char* name, Metric metric, const char* doc) {
  module.def(
      name,
      [metric](const py::object& a, const py::object& b, const std::optional<std::string>& element) {
        return compare<float>(a, b, element, [metric](Element kind, const void* x, const void* y, std::size_t n) {
          return distance(metric, kind, x, y, n);
        });
      },
      py::arg("a"), py::arg("b"), py::kw_only(), py::arg("element") = py::none(), doc);
}

}  // namespace

void bind_distance(py::module_& module) {
  bind_metric(module, "cosine", Metric::kCosine,
              "The cosine of the angle between two vectors, or between rows; 0 for the zero vector.\n\n"
              "Floats, float16 and int8 arrays say what they are; `element` names bf16 (uint16 arrays), u4 (packed\n"
              "uint8, the low half first).");
  bind_metric(module, "dot", Metric::kDot, "The dot product of two vectors, or of rows. See cosine.");
  bind_metric(module, "l2", Metric::kL2, "The squared Euclidean distance of two vectors, or of rows. See cosine.");
  module.def(
      "hamming",
      [](const py::object& a, const py::object& b) {
        return compare<std::uint64_t>(a, b, "bits", [](Element, const void* x, const void* y, std::size_t n) {
          return mastra::hamming(x, y, n);
        });
      },
      py::arg("a"), py::arg("b"), "The number of bits that differ; a and b are packed uint8.");
  module.def("kernels", &kernel_names, "The instruction sets this machine runs, most preferred first.");
  module.def("active_kernel", &active_kernel,
             "The instruction set in use. MASTRA_KERNEL=name in the environment forces one.");
}

}  // namespace mastra::bindings
