// mastra.native.events.SseEvent: a tuple of four with names, made for being made often. Its places are slots, and the
// memory of one that nobody holds any more is that of the next.
#pragma once

#include <pybind11/pybind11.h>

namespace mastra::bindings {

// Takes over the references. REQUIRES: three exact str and an exact int or None; add_sse_event_type was called.
PyObject* new_sse_event(PyObject* event, PyObject* data, PyObject* id, PyObject* retry);

void add_sse_event_type(pybind11::module_& module);

}  // namespace mastra::bindings
