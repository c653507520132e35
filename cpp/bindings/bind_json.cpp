// Builds Python values from a growing JSON text.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "mastra/json_stream.hpp"
#include "text.hpp"

namespace mastra::bindings {
namespace {

namespace py = pybind11;

class TextOrBytes : public py::object {
 public:
  PYBIND11_OBJECT_DEFAULT(TextOrBytes, py::object, text_or_bytes_check)

 private:
  static bool text_or_bytes_check(PyObject* object) {
    return PyUnicode_Check(object) || PyObject_CheckBuffer(object) != 0;
  }
};

}  // namespace
}  // namespace mastra::bindings

template <>
struct pybind11::detail::handle_type_name<mastra::bindings::TextOrBytes> {
  static constexpr auto name = const_name("str | bytes | bytearray | memoryview");
};

namespace mastra::bindings {
namespace {

py::object steal(PyObject* object) {
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

void check(int status) {
  if (status != 0) throw py::error_already_set();
}

// The same keys come again in every object of a list: one str serves them.
class KeyCache {
 public:
  py::object text(std::string_view key, bool ascii) {
    if (key.empty() || key.size() > kMostBytes) return steal(new_text(key, ascii));
    Entry& entry = entries_[slot(key)];
    if (!entry.text || entry.bytes != key) {
      entry.text = steal(new_text(key, ascii));
      entry.bytes.assign(key);
    }
    return entry.text;
  }

 private:
  static constexpr std::size_t kMostBytes = 48;
  struct Entry {
    std::string bytes;
    py::object text;
  };
  static std::size_t slot(std::string_view key) {
    const auto at = [key](std::size_t i) { return static_cast<unsigned char>(key[i]); };
    return (key.size() * 31U + at(0) * 7U + at(key.size() / 2) * 13U + at(key.size() - 1)) % 64U;
  }
  std::array<Entry, 64> entries_;
};

py::object new_integer(std::string_view text) {
  if (text.size() <= 18) {
    long long value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return steal(PyLong_FromLongLong(value));
  }
  const std::string copy(text);
  PyObject* value = PyLong_FromString(copy.c_str(), nullptr, 10);
  if (value == nullptr) {
    PyErr_Clear();  // sys.set_int_max_str_digits is lower than our own limit
    throw Error(ErrorCode::kLimit, "an integer has more digits than this interpreter converts");
  }
  return steal(value);
}

py::object new_float(std::string_view text) {
  double value = 0;
#if defined(__cpp_lib_to_chars)
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool done = parsed.ec == std::errc();
#else
  const bool done = false;
#endif
  if (!done) {
    const std::string copy(text);
    value = PyOS_string_to_double(copy.c_str(), nullptr, nullptr);
    if (value == -1.0 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  }
  if (std::isinf(value)) throw Error(ErrorCode::kLimit, "a number is larger than a double can hold");
  return steal(PyFloat_FromDouble(value));
}

// The value so far. Open containers form a path from the root; what is closed is never touched again.
class TreeBuilder final : public JsonHandler {
 public:
  void on_begin(bool object) override {
    py::object container = steal(object ? PyDict_New() : PyList_New(0));
    place(container);
    path_.push_back({std::move(container), {}, object});
  }

  void on_end() override { path_.pop_back(); }

  void on_key(std::string_view key, bool ascii) override { path_.back().key = keys_.text(key, ascii); }

  void on_string(std::string_view piece, bool ascii, bool first, bool /*last*/) override {
    py::object text = steal(new_text(piece, ascii));
    if (first) {
      place(text);
    } else {
      append(text);
    }
  }

  void on_number(std::string_view text, bool integer, bool first, bool /*last*/) override {
    const py::object number = integer ? new_integer(text) : new_float(text);
    if (first) {
      place(number);
    } else {
      replace(number);
    }
  }

  void on_literal(JsonLiteral literal) override {
    PyObject* const values[] = {Py_None, Py_False, Py_True};
    place(py::reinterpret_borrow<py::object>(values[static_cast<std::size_t>(literal)]));
  }

  [[nodiscard]] py::object value() const { return root_ ? root_ : py::none(); }

  // Copies the open containers only: the closed ones below them do not change any more.
  [[nodiscard]] py::object snapshot() const {
    if (path_.empty()) return value();
    py::object child;
    for (std::size_t at = path_.size(); at-- > 0;) {
      const Level& level = path_[at];
      PyObject* from = level.container.ptr();
      py::object copy = steal(level.object ? PyDict_Copy(from) : PyList_GetSlice(from, 0, PyList_GET_SIZE(from)));
      if (child) set_last(copy, level, child);
      child = std::move(copy);
    }
    return child;
  }

 private:
  struct Level {
    py::object container;
    py::object key;  // of the value that is being read
    bool object;
  };

  static void set_last(const py::object& container, const Level& level, const py::object& value) {
    if (level.object) {
      check(PyDict_SetItem(container.ptr(), level.key.ptr(), value.ptr()));
    } else {
      const Py_ssize_t size = PyList_GET_SIZE(container.ptr());
      if (size == 0) throw Error(ErrorCode::kInvalidArgument, "the value of a JSON parser was changed from outside");
      check(PyList_SetItem(container.ptr(), size - 1, Py_NewRef(value.ptr())));
    }
  }

  void place(const py::object& value) {
    if (path_.empty()) {
      root_ = value;
    } else if (path_.back().object) {
      check(PyDict_SetItem(path_.back().container.ptr(), path_.back().key.ptr(), value.ptr()));
    } else {
      check(PyList_Append(path_.back().container.ptr(), value.ptr()));
    }
  }

  void replace(const py::object& value) {
    if (path_.empty()) {
      root_ = value;
    } else {
      set_last(path_.back().container, path_.back(), value);
    }
  }

  // Takes the unfinished string out of its container, so that CPython may grow it in place when nobody
  // else holds it: a long string then costs its new bytes only.
  void append(const py::object& piece) {
    if (PyUnicode_GET_LENGTH(piece.ptr()) == 0) return;
    PyObject* text = take_last();
    PyUnicode_Append(&text, piece.ptr());
    replace(steal(text));
  }

  PyObject* take_last() {
    PyObject* text = nullptr;
    if (path_.empty()) {
      text = root_.release().ptr();
    } else {
      const Level& level = path_.back();
      if (level.object) {
        text = Py_XNewRef(PyDict_GetItemWithError(level.container.ptr(), level.key.ptr()));
      } else if (const Py_ssize_t size = PyList_GET_SIZE(level.container.ptr()); size > 0) {
        text = Py_NewRef(PyList_GET_ITEM(level.container.ptr(), size - 1));
      }
      if (text != nullptr) set_last(level.container, level, py::none());
    }
    if (text == nullptr || !PyUnicode_Check(text)) {
      Py_XDECREF(text);
      throw Error(ErrorCode::kInvalidArgument, "the value of a JSON parser was changed from outside");
    }
    return text;
  }

  py::object root_;
  std::vector<Level> path_;
  KeyCache keys_;
};

JsonLimits limits(std::size_t depth, std::size_t bytes) {
  constexpr std::size_t kMostDepth = 10'000;
  if (depth == 0 || depth > kMostDepth || bytes == 0) {
    throw Error(ErrorCode::kInvalidArgument, "max_depth must lie in 1..10000 and max_bytes be at least 1");
  }
  return {depth, bytes};
}

class PyPartialJson {
 public:
  PyPartialJson(std::size_t max_depth, std::size_t max_bytes) : stream_(limits(max_depth, max_bytes)) {}

  py::object feed(const TextOrBytes& chunk) {
    const Bytes bytes(chunk.ptr(), true);
    stream_.feed(bytes.view(), tree_);
    return tree_.value();
  }

  py::object close() {
    stream_.finish(tree_);
    return tree_.value();
  }

  [[nodiscard]] py::object value() const { return tree_.value(); }
  [[nodiscard]] py::object snapshot() const { return tree_.snapshot(); }
  [[nodiscard]] bool complete() const { return stream_.complete(); }

 private:
  JsonStream stream_;
  TreeBuilder tree_;
};

py::object parse(const TextOrBytes& text, std::size_t max_depth) {
  const Bytes bytes(text.ptr(), true);
  JsonStream stream(limits(max_depth, std::max<std::size_t>(bytes.view().size(), 1)));
  TreeBuilder tree;
  stream.feed(bytes.view(), tree);
  stream.finish(tree);
  return tree.value();
}

}  // namespace

void bind_json(py::module_& module) {
  const JsonLimits defaults;
  py::class_<PyPartialJson>(module, "PartialJson",
                            "The best value of a JSON text that is still arriving.\n\n"
                            "Unfinished strings and numbers show what has come, `t` already shows True, a key shows\n"
                            "up with its value. Each feed costs time for its own bytes only. Text that cannot become\n"
                            "JSON raises NativeInvalidArgument, bytes that are not UTF-8 NativeInvalidEncoding, too\n"
                            "deep, too long or too large a number NativeLimit; the value stays what it was before.")
      .def(py::init<std::size_t, std::size_t>(), py::kw_only(), py::arg("max_depth") = defaults.depth,
           py::arg("max_bytes") = defaults.bytes)
      .def("feed", &PyPartialJson::feed, py::arg("chunk"), "Reads `chunk`; returns `value`.")
      .def("close", &PyPartialJson::close,
           "The end of the text: the final value, or NativeInvalidArgument when it is not complete.")
      .def("snapshot", &PyPartialJson::snapshot,
           "The value so far in containers that do not change with the next feed. Costs the width of the open\n"
           "containers; closed ones are shared.")
      .def_property_readonly("value", &PyPartialJson::value,
                             "The value so far, None before there is one. It grows in place: read it, do not change it.")
      .def_property_readonly("complete", &PyPartialJson::complete,
                             "A whole value has been read. A number at the top is complete only after close.");
  module.def("parse_json", &parse, py::arg("text"), py::kw_only(), py::arg("max_depth") = defaults.depth,
             "Parses one JSON text, strictly: NaN, infinities, trailing commas and a byte-order mark are refused.");
}

}  // namespace mastra::bindings
