#include "mastra/build_info.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/typing.h>

#include "bind.hpp"

namespace py = pybind11;

namespace mastra::bindings {

void bind_build_info(py::module_& module) {
  module.def(
      "build_info",
      []() -> py::typing::Dict<py::str, py::object> {
        const BuildInfo info = build_info();
        py::dict out;
        out["version"] = info.version;
        out["compiler"] = info.compiler;
        out["architecture"] = info.architecture;
        out["debug"] = info.debug;
        return out;
      },
      "What this build of the core is: version, compiler, architecture, debug.");
}

}  // namespace mastra::bindings
