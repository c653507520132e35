// Server-sent events as Python tuples. feed is a plain CPython method: most streams bring one event in a chunk.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <string_view>

#include "bind.hpp"
#include "list_builder.hpp"
#include "mastra/sse.hpp"
#include "mastra/utf8.hpp"
#include "plain_methods.hpp"
#include "sse_event.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

// The same name or id comes again and again: one str object serves them all.
class RepeatedText {
 public:
  PyObject* text(std::string_view bytes) {
    if (!text_ || bytes != bytes_) {
      text_ = py::reinterpret_steal<py::object>(new_text(bytes, ascii_prefix(bytes) == bytes.size()));
      bytes_.assign(bytes);
    }
    return Py_NewRef(text_.ptr());
  }

 private:
  py::object text_;
  std::string bytes_;
};

struct RepeatedTexts {
  RepeatedText event;
  RepeatedText id;
};

class EventList final : public SseSink {
 public:
  explicit EventList(RepeatedTexts& repeated) noexcept : repeated_(repeated) {}

  void on_event(const SseEvent& event) override {
    PyObject* const data = new_text(event.data, event.ascii);
    PyObject* const retry = event.retry ? PyLong_FromLongLong(*event.retry) : Py_NewRef(Py_None);
    events.append(new_sse_event(repeated_.event.text(event.event), data, repeated_.id.text(event.id), retry));
  }

  ListBuilder events;

 private:
  RepeatedTexts& repeated_;
};

class PySseParser {
 public:
  PySseParser(std::size_t max_line_bytes, std::size_t max_event_bytes)
      : parser_(SseLimits{max_line_bytes, max_event_bytes}) {
    if (max_line_bytes == 0 || max_event_bytes == 0) {
      throw Error(ErrorCode::kInvalidArgument, "max_line_bytes and max_event_bytes must be at least 1");
    }
  }

  // Events before a bad line are handed out first; the error then comes from the next call.
  PyObject* feed(PyObject* chunk) {
    const Bytes bytes(chunk);
    EventList list(repeated_);
    try {
      parser_.feed(bytes.view(), list);
    } catch (const Error& error) {
      if (list.events.empty() || error.code() == ErrorCode::kInvalidArgument) throw;
    }
    return list.events.take();
  }

  void close() { parser_.close(); }
  [[nodiscard]] bool incomplete() const { return parser_.incomplete(); }
  [[nodiscard]] std::string last_event_id() const { return parser_.last_event_id(); }
  [[nodiscard]] std::optional<std::int64_t> retry() const { return parser_.retry(); }

 private:
  SseParser parser_;
  RepeatedTexts repeated_;
};

PyObject* feed(PyObject* self, PyObject* chunk) {
  return called<PySseParser>(self, [chunk](PySseParser& parser) { return parser.feed(chunk); });
}

PyMethodDef kFeed = {"feed", feed, METH_O,
                     "feed(self, chunk: bytes | bytearray | memoryview, /) -> list[mastra.native.events.SseEvent]\n\n"
                     "The events that `chunk` completes."};

}  // namespace

void bind_sse(py::module_& module) {
  const SseLimits limits;
  add_sse_event_type(module);
  py::class_<PySseParser> parser(module, "SseParser",
                          "An incremental parser of server-sent events; one per stream.\n\n"
                          "Any chunking of the same bytes gives the same events. A line that is not UTF-8 raises\n"
                          "NativeInvalidEncoding and one over its limit NativeLimit, after the events before it were\n"
                          "handed out.");
  parser
      .def(py::init<std::size_t, std::size_t>(), py::kw_only(), py::arg("max_line_bytes") = limits.line,
           py::arg("max_event_bytes") = limits.event)
      .def("close", &PySseParser::close,
           "The end of the stream: raises what is still to be raised; an event without its empty line is dropped.")
      .def_property_readonly("incomplete", &PySseParser::incomplete,
                             "Bytes came after the last event: the stream was cut in the middle of one.")
      .def_property_readonly("last_event_id", &PySseParser::last_event_id,
                             "What a reconnecting client sends as Last-Event-ID.")
      .def_property_readonly("retry", &PySseParser::retry, "The reconnection time in milliseconds, if the stream set one.");
  add_method(parser, kFeed);
}

}  // namespace mastra::bindings
