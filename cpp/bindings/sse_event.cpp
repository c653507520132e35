#include "sse_event.hpp"

#include <structmember.h>

#include <array>
#include <cstddef>

namespace py = pybind11;

namespace mastra::bindings {
namespace {

constexpr std::array<const char*, 4> kFields = {"event", "data", "id", "retry"};
constexpr Py_ssize_t kSize = static_cast<Py_ssize_t>(kFields.size());

PyTypeObject* event_type = nullptr;  // made once, with the module

#ifndef Py_GIL_DISABLED
// Memory of events that are gone, for the next ones. Without a GIL the allocator's own lists for each thread serve.
constexpr std::size_t kKept = 256;
std::array<PyTupleObject*, kKept> kept;
std::size_t kept_count = 0;
#endif

// Never shown to the garbage collector: text and numbers are in no cycle.
PyTupleObject* allocate() {
#ifndef Py_GIL_DISABLED
  if (kept_count > 0) {
    auto* const out = reinterpret_cast<PyVarObject*>(kept[--kept_count]);
    return reinterpret_cast<PyTupleObject*>(PyObject_InitVar(out, event_type, kSize));
  }
#endif
  return PyObject_GC_NewVar(PyTupleObject, event_type, kSize);
}

void free_event(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  for (Py_ssize_t i = 0; i < kSize; ++i) Py_DECREF(PyTuple_GET_ITEM(self, i));
#ifndef Py_GIL_DISABLED
  if (kept_count < kKept) {
    kept[kept_count++] = reinterpret_cast<PyTupleObject*>(self);
    Py_DECREF(type);
    return;
  }
#endif
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

PyObject* construct(PyTypeObject* /*type*/, PyObject* arguments, PyObject* names) {
  PyObject* event = nullptr;
  PyObject* data = nullptr;
  PyObject* id = nullptr;
  PyObject* retry = nullptr;
  std::array<char*, kFields.size() + 1> fields{};
  for (std::size_t i = 0; i < kFields.size(); ++i) fields[i] = const_cast<char*>(kFields[i]);
  if (PyArg_ParseTupleAndKeywords(arguments, names, "UUUO:SseEvent", fields.data(), &event, &data, &id, &retry) == 0) return nullptr;
  if (retry != Py_None && !PyLong_Check(retry)) {
    return PyErr_Format(PyExc_TypeError, "retry is an int or None, not %.100s", Py_TYPE(retry)->tp_name);
  }
  // Of a subclass only the text or the number is kept: anything else might hold the event.
  std::array<PyObject*, kFields.size()> exact = {PyUnicode_FromObject(event), PyUnicode_FromObject(data), PyUnicode_FromObject(id),
                                                 retry == Py_None ? Py_NewRef(Py_None) : PyNumber_Long(retry)};
  for (PyObject* const each : exact) {
    if (each != nullptr) continue;
    for (PyObject* const other : exact) Py_XDECREF(other);
    return nullptr;
  }
  try {
    return new_sse_event(exact[0], exact[1], exact[2], exact[3]);
  } catch (py::error_already_set& error) {
    error.restore();
    return nullptr;
  }
}

PyObject* show(PyObject* self) {
  return PyUnicode_FromFormat("SseEvent(event=%R, data=%R, id=%R, retry=%R)", PyTuple_GET_ITEM(self, 0), PyTuple_GET_ITEM(self, 1),
                              PyTuple_GET_ITEM(self, 2), PyTuple_GET_ITEM(self, 3));
}

PyObject* reduce(PyObject* self, PyObject* /*unused*/) {
  return Py_BuildValue("O(OOOO)", Py_TYPE(self), PyTuple_GET_ITEM(self, 0), PyTuple_GET_ITEM(self, 1), PyTuple_GET_ITEM(self, 2),
                       PyTuple_GET_ITEM(self, 3));
}

PyObject* json(PyObject* self, PyObject* /*unused*/) {
  PyObject* const module = PyImport_ImportModule("json");
  if (module == nullptr) return nullptr;
  PyObject* const out = PyObject_CallMethod(module, "loads", "O", PyTuple_GET_ITEM(self, 1));
  Py_DECREF(module);
  return out;
}

PyObject* as_dict(PyObject* self, PyObject* /*unused*/) {
  PyObject* const out = PyDict_New();
  for (std::size_t i = 0; out != nullptr && i < kFields.size(); ++i) {
    if (PyDict_SetItemString(out, kFields[i], PyTuple_GET_ITEM(self, static_cast<Py_ssize_t>(i))) == 0) continue;
    Py_DECREF(out);
    return nullptr;
  }
  return out;
}

PyObject* replace(PyObject* self, PyObject* arguments, PyObject* names) {
  if (PyTuple_GET_SIZE(arguments) != 0) {
    PyErr_SetString(PyExc_TypeError, "_replace takes fields by name only");
    return nullptr;
  }
  PyObject* const fields = as_dict(self, nullptr);
  if (fields == nullptr) return nullptr;
  PyObject* const none = names == nullptr || PyDict_Update(fields, names) == 0 ? PyTuple_New(0) : nullptr;
  PyObject* const out = none == nullptr ? nullptr : PyObject_Call(reinterpret_cast<PyObject*>(event_type), none, fields);
  Py_XDECREF(none);
  Py_DECREF(fields);
  return out;
}

PyObject* make(PyObject* type, PyObject* values) {
  PyObject* const all = PySequence_Tuple(values);
  if (all == nullptr) return nullptr;
  PyObject* const out = PyObject_Call(type, all, nullptr);
  Py_DECREF(all);
  return out;
}

constexpr Py_ssize_t place(std::size_t index) {
  return static_cast<Py_ssize_t>(offsetof(PyTupleObject, ob_item) + index * sizeof(PyObject*));
}

#if PY_VERSION_HEX >= 0x030C0000
constexpr int kObject = Py_T_OBJECT_EX;
constexpr int kReadOnly = Py_READONLY;
#else
constexpr int kObject = T_OBJECT_EX;
constexpr int kReadOnly = READONLY;
#endif

PyMemberDef kMembers[] = {{kFields[0], kObject, place(0), kReadOnly, "The event's name; \"message\" when the stream names none."},
                          {kFields[1], kObject, place(1), kReadOnly, "The data lines, joined by a line feed."},
                          {kFields[2], kObject, place(2), kReadOnly, "The last id the stream has set so far; empty when it set none."},
                          {kFields[3], kObject, place(3), kReadOnly, "The reconnection time in milliseconds, when this event carried one."},
                          {nullptr, 0, 0, 0, nullptr}};

PyMethodDef kMethods[] = {
    {"json", json, METH_NOARGS, "The data, parsed as JSON; ValueError when it is none."},
    {"_asdict", as_dict, METH_NOARGS, "The fields by name."},
    {"_replace", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(replace)), METH_VARARGS | METH_KEYWORDS,
     "An event with other values in the named fields."},
    {"_make", make, METH_O | METH_CLASS, "An event from an iterable of its fields."},
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot kSlots[] = {{Py_tp_doc, const_cast<char*>("One server-sent event, as the WHATWG format defines it.")},
                        {Py_tp_new, reinterpret_cast<void*>(construct)},
                        {Py_tp_dealloc, reinterpret_cast<void*>(free_event)},
                        {Py_tp_repr, reinterpret_cast<void*>(show)},
                        {Py_tp_members, kMembers},
                        {Py_tp_methods, kMethods},
                        {0, nullptr}};

PyType_Spec kSpec = {"mastra.native.events.SseEvent", 0, 0, Py_TPFLAGS_DEFAULT, kSlots};

}  // namespace

PyObject* new_sse_event(PyObject* event, PyObject* data, PyObject* id, PyObject* retry) {
  auto* const out = reinterpret_cast<PyObject*>(allocate());
  if (out == nullptr) {
    for (PyObject* const each : {event, data, id, retry}) Py_DECREF(each);
    throw py::error_already_set();
  }
#if PY_VERSION_HEX >= 0x030E0000
  reinterpret_cast<PyTupleObject*>(out)->ob_hash = -1;  // not known yet
#endif
  PyTuple_SET_ITEM(out, 0, event);
  PyTuple_SET_ITEM(out, 1, data);
  PyTuple_SET_ITEM(out, 2, id);
  PyTuple_SET_ITEM(out, 3, retry);
  return out;
}

void add_sse_event_type(py::module_& module) {
  const auto bases = py::make_tuple(py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(&PyTuple_Type)));
  auto type = py::reinterpret_steal<py::object>(PyType_FromSpecWithBases(&kSpec, bases.ptr()));
  if (!type) throw py::error_already_set();
  auto fields = py::make_tuple(kFields[0], kFields[1], kFields[2], kFields[3]);
  type.attr("_fields") = fields;
  type.attr("__match_args__") = fields;
  module.attr("SseEvent") = type;
  event_type = reinterpret_cast<PyTypeObject*>(type.release().ptr());
}

}  // namespace mastra::bindings
