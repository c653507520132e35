// One bind_<thing> per header of include/mastra; module.cpp calls them in order.
#pragma once

#include <pybind11/pybind11.h>

#include "mastra/error.hpp"

namespace mastra::bindings {

void set_error(const Error& error);  // makes it the Python exception of its code

void bind_errors(pybind11::module_& module);  // first: the others throw through it
void bind_build_info(pybind11::module_& module);
void bind_distance(pybind11::module_& module);
void bind_exact_search(pybind11::module_& module);
void bind_vector_index(pybind11::module_& module);
void bind_sse(pybind11::module_& module);
void bind_records(pybind11::module_& module);
void bind_json(pybind11::module_& module);
void bind_object_pool(pybind11::module_& module);
void bind_memory(pybind11::module_& module);
void bind_cache(pybind11::module_& module);
void bind_text(pybind11::module_& module);

}  // namespace mastra::bindings
