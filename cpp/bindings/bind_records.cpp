// Newline-delimited JSON and the 0x1E framing.
#include <pybind11/pybind11.h>
#include <pybind11/typing.h>

#include <utility>

#include "bind.hpp"
#include "mastra/records.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Records = py::typing::List<py::str>;

class RecordList final : public RecordSink {
 public:
  void on_record(std::string_view record, bool ascii) override {
    const auto text = py::reinterpret_steal<py::object>(new_text(record, ascii));
    if (PyList_Append(records_.ptr(), text.ptr()) != 0) throw py::error_already_set();
  }
  [[nodiscard]] std::size_t count() const { return records_.size(); }
  Records take() { return std::exchange(records_, py::list()); }

 private:
  py::list records_;
};

class PyRecordParser {
 public:
  PyRecordParser(char delimiter, std::size_t max_record_bytes) : parser_(delimiter, max_record_bytes) {
    if (max_record_bytes == 0) throw Error(ErrorCode::kInvalidArgument, "max_record_bytes must be at least 1");
  }

  // Records before a bad one are handed out first; the error then comes from the next call.
  Records feed(const BytesLike& chunk) {
    const Bytes bytes(chunk);
    try {
      parser_.feed(bytes.view(), list_);
    } catch (const Error& error) {
      if (list_.count() == 0 || error.code() == ErrorCode::kInvalidArgument) throw;
    }
    return list_.take();
  }

  Records close() {
    parser_.close(list_);
    return list_.take();
  }

  [[nodiscard]] bool incomplete() const { return parser_.incomplete(); }

 private:
  RecordParser parser_;
  RecordList list_;
};

template <char Delimiter>
class Delimited : public PyRecordParser {
 public:
  explicit Delimited(std::size_t max_record_bytes) : PyRecordParser(Delimiter, max_record_bytes) {}
};

template <typename Parser>
void bind_parser(py::module_& module, const char* name, const char* text) {
  constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  py::class_<Parser>(module, name, text)
      .def(py::init<std::size_t>(), py::kw_only(), py::arg("max_record_bytes") = kMostBytes)
      .def("feed", [](Parser& self, const BytesLike& chunk) { return self.feed(chunk); }, py::arg("chunk"),
           "The records that `chunk` completes, as text without the white space around them.")
      .def("close", [](Parser& self) { return self.close(); },
           "The end of the stream: the record after the last delimiter, if there is one.")
      .def_property_readonly("incomplete", [](const Parser& self) { return self.incomplete(); },
                             "Bytes came after the last delimiter.");
}

}  // namespace

void bind_records(py::module_& module) {
  bind_parser<Delimited<'\x1E'>>(module, "RecordParser",
                                 "An incremental parser of records that end with the byte 0x1E; one per stream.");
  bind_parser<Delimited<'\n'>>(module, "NdjsonParser",
                               "An incremental parser of newline-delimited JSON; one per stream.");
}

}  // namespace mastra::bindings
