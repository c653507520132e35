// The memory counters of the core and the numbers of the operating system.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <string>

#include "bind.hpp"
#include "mastra/memory.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Numbers = py::typing::Dict<py::str, py::typing::Optional<py::int_>>;
using Categories = py::typing::Dict<py::str, py::typing::Dict<py::str, py::int_>>;

Categories memory_counts() {
  Categories out;
  for (std::size_t at = 0; at < kMemoryCategories; ++at) {
    const auto category = static_cast<MemoryCategory>(at);
    const MemoryUse use = memory_use(category);
    py::dict numbers;
    numbers["live"] = use.live;
    numbers["peak"] = use.peak;
    numbers["allocations"] = use.allocations;
    out[memory_category_name(category)] = numbers;
  }
  return out;
}

Numbers process(bool with_proportional, const std::string& root) {
  const ProcessMemory memory = process_memory(with_proportional, root);
  Numbers out;
  out["resident"] = py::cast(memory.resident);
  out["peak_resident"] = py::cast(memory.peak_resident);
  out["proportional"] = py::cast(memory.proportional);
  out["virtual_size"] = py::cast(memory.virtual_size);
  return out;
}

Numbers limits(const std::string& root) {
  const MemoryLimits memory = memory_limits(root);
  Numbers out;
  out["physical"] = py::cast(memory.physical);
  out["available"] = py::cast(memory.available);
  out["control_group"] = py::cast(memory.control_group);
  out["control_group_use"] = py::cast(memory.control_group_use);
  out["address_space"] = py::cast(memory.address_space);
  return out;
}

}  // namespace

void bind_memory(py::module_& module) {
  module.def("memory_counts", &memory_counts, "Live and peak bytes and the number of allocations, by category of the core.");
  module.def("reset_memory_peaks", &reset_memory_peaks, "Each peak becomes what is live now.");
  module.def("process_memory", &process, py::kw_only(), py::arg("with_proportional") = false, py::arg("root") = "",
             "What the operating system says about this process, in bytes.");
  module.def("memory_limits", &limits, py::kw_only(), py::arg("root") = "", "What this process may use, in bytes.");
}

}  // namespace mastra::bindings
