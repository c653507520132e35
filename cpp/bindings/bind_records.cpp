// Newline-delimited JSON and the 0x1E framing. feed is a plain CPython method, as that of server-sent events is.
#include <pybind11/pybind11.h>
#include <pybind11/typing.h>

#include "bind.hpp"
#include "list_builder.hpp"
#include "mastra/records.hpp"
#include "plain_methods.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Records = py::typing::List<py::str>;

class RecordList final : public RecordSink {
 public:
  void on_record(std::string_view record, bool ascii) override { records.append(new_text(record, ascii)); }
  Records take() { return py::reinterpret_steal<Records>(records.take()); }

  ListBuilder records;
};

class PyRecordParser {
 public:
  PyRecordParser(char delimiter, std::size_t max_record_bytes) : parser_(delimiter, max_record_bytes) {
    if (max_record_bytes == 0) throw Error(ErrorCode::kInvalidArgument, "max_record_bytes must be at least 1");
  }

  // Records before a bad one are handed out first; the error then comes from the next call.
  PyObject* feed(PyObject* chunk) {
    const Bytes bytes(chunk);
    RecordList list;
    try {
      parser_.feed(bytes.view(), list);
    } catch (const Error& error) {
      if (list.records.empty() || error.code() == ErrorCode::kInvalidArgument) throw;
    }
    return list.records.take();
  }

  Records close() {
    RecordList list;
    parser_.close(list);
    return list.take();
  }

  [[nodiscard]] bool incomplete() const { return parser_.incomplete(); }

 private:
  RecordParser parser_;
};

template <char Delimiter>
class Delimited : public PyRecordParser {
 public:
  explicit Delimited(std::size_t max_record_bytes) : PyRecordParser(Delimiter, max_record_bytes) {}
};

template <typename Parser>
void bind_parser(py::module_& module, const char* name, const char* text) {
  constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  static PyMethodDef feed = {"feed",
                             [](PyObject* self, PyObject* chunk) {
                               return called<Parser>(self, [chunk](Parser& parser) { return parser.feed(chunk); });
                             },
                             METH_O,
                             "feed(self, chunk: bytes | bytearray | memoryview, /) -> list[str]\n\n"
                             "The records that `chunk` completes, as text without the white space around them."};
  py::class_<Parser> type(module, name, text);
  type.def(py::init<std::size_t>(), py::kw_only(), py::arg("max_record_bytes") = kMostBytes)
      .def("close", [](Parser& self) { return self.close(); },
           "The end of the stream: the record after the last delimiter, if there is one.")
      .def_property_readonly("incomplete", [](const Parser& self) { return self.incomplete(); },
                             "Bytes came after the last delimiter.");
  add_method(type, feed);
}

}  // namespace

void bind_records(py::module_& module) {
  bind_parser<Delimited<'\x1E'>>(module, "RecordParser",
                                 "An incremental parser of records that end with the byte 0x1E; one per stream.");
  bind_parser<Delimited<'\n'>>(module, "NdjsonParser",
                               "An incremental parser of newline-delimited JSON; one per stream.");
}

}  // namespace mastra::bindings
