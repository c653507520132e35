// Server-sent events as Python tuples.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <optional>
#include <string>
#include <utility>

#include "bind.hpp"
#include "mastra/sse.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

class EventObject : public py::object {
 public:
  PYBIND11_OBJECT_DEFAULT(EventObject, py::object, PyTuple_Check)
};
using Events = py::typing::List<EventObject>;

}  // namespace
}  // namespace mastra::bindings

template <>
struct pybind11::detail::handle_type_name<mastra::bindings::EventObject> {
  static constexpr auto name = const_name("mastra.native.events.SseEvent");
};

namespace mastra::bindings {
namespace {

// Builds mastra.native.events.SseEvent, a NamedTuple: allocated as a tuple, without calling its __new__.
class EventList final : public SseSink {
 public:
  explicit EventList(py::object type) : type_(std::move(type)) {}

  void on_event(const SseEvent& event) override {
    auto* type = reinterpret_cast<PyTypeObject*>(type_.ptr());
    auto out = py::reinterpret_steal<py::object>(type->tp_alloc(type, 4));
    if (!out) throw py::error_already_set();
    PyTuple_SET_ITEM(out.ptr(), 0, shared(name_, name_text_, event.event));
    PyTuple_SET_ITEM(out.ptr(), 1, new_text(event.data, event.ascii));
    PyTuple_SET_ITEM(out.ptr(), 2, shared(id_, id_text_, event.id));
    PyTuple_SET_ITEM(out.ptr(), 3, event.retry ? PyLong_FromLongLong(*event.retry) : Py_NewRef(Py_None));
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    if (PyList_Append(events_.ptr(), out.ptr()) != 0) throw py::error_already_set();
  }

  [[nodiscard]] std::size_t count() const { return events_.size(); }
  Events take() { return std::exchange(events_, py::list()); }

 private:
  // The same name or id comes again and again: one str object serves them all.
  static PyObject* shared(py::object& last, std::string& last_text, std::string_view text) {
    if (!last || text != last_text) {
      last = py::reinterpret_steal<py::object>(new_text(text, check_ascii(text)));
      last_text.assign(text);
    }
    return Py_NewRef(last.ptr());
  }
  static bool check_ascii(std::string_view text) {
    for (const char byte : text) {
      if (static_cast<unsigned char>(byte) >= 0x80) return false;
    }
    return true;
  }

  py::object type_;
  py::list events_;
  py::object name_;
  std::string name_text_;
  py::object id_;
  std::string id_text_;
};

class PySseParser {
 public:
  PySseParser(std::size_t max_line_bytes, std::size_t max_event_bytes)
      : parser_(SseLimits{max_line_bytes, max_event_bytes}), list_(event_type()) {
    if (max_line_bytes == 0 || max_event_bytes == 0) {
      throw Error(ErrorCode::kInvalidArgument, "max_line_bytes and max_event_bytes must be at least 1");
    }
  }

  // Events before a bad line are handed out first; the error then comes from the next call.
  Events feed(const BytesLike& chunk) {
    const Bytes bytes(chunk);
    try {
      parser_.feed(bytes.view(), list_);
    } catch (const Error& error) {
      if (list_.count() == 0 || error.code() == ErrorCode::kInvalidArgument) throw;
    }
    return list_.take();
  }

  void close() { parser_.close(); }
  [[nodiscard]] bool incomplete() const { return parser_.incomplete(); }
  [[nodiscard]] std::string last_event_id() const { return parser_.last_event_id(); }
  [[nodiscard]] std::optional<std::int64_t> retry() const { return parser_.retry(); }

 private:
  static py::object event_type() { return py::module_::import("mastra.native.events").attr("SseEvent"); }

  SseParser parser_;
  EventList list_;
};

}  // namespace

void bind_sse(py::module_& module) {
  const SseLimits limits;
  py::class_<PySseParser>(module, "SseParser",
                          "An incremental parser of server-sent events; one per stream.\n\n"
                          "Any chunking of the same bytes gives the same events. A line that is not UTF-8 raises\n"
                          "NativeInvalidEncoding and one over its limit NativeLimit, after the events before it were\n"
                          "handed out.")
      .def(py::init<std::size_t, std::size_t>(), py::kw_only(), py::arg("max_line_bytes") = limits.line,
           py::arg("max_event_bytes") = limits.event)
      .def("feed", &PySseParser::feed, py::arg("chunk"), "The events that `chunk` completes.")
      .def("close", &PySseParser::close,
           "The end of the stream: raises what is still to be raised; an event without its empty line is dropped.")
      .def_property_readonly("incomplete", &PySseParser::incomplete,
                             "Bytes came after the last event: the stream was cut in the middle of one.")
      .def_property_readonly("last_event_id", &PySseParser::last_event_id,
                             "What a reconnecting client sends as Last-Event-ID.")
      .def_property_readonly("retry", &PySseParser::retry, "The reconnection time in milliseconds, if the stream set one.");
}

}  // namespace mastra::bindings
