// The Python module: calls bind_<thing> for each header of the core, and nothing else.
#include "bind.hpp"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The compiled core of mastra. Import mastra.native instead.";
  mastra::bindings::bind_errors(module);
  mastra::bindings::bind_build_info(module);
  mastra::bindings::bind_distance(module);
  mastra::bindings::bind_exact_search(module);
  mastra::bindings::bind_vector_index(module);
  mastra::bindings::bind_sse(module);
  mastra::bindings::bind_records(module);
  mastra::bindings::bind_json(module);
  mastra::bindings::bind_object_pool(module);
  mastra::bindings::bind_memory(module);
  mastra::bindings::bind_cache(module);
  mastra::bindings::bind_text(module);
}
