// Python text from checked bytes, and bytes-like arguments as views.
#pragma once

#include <pybind11/pybind11.h>

#include <cstring>
#include <string_view>

#include "mastra/error.hpp"

namespace mastra::bindings {

// A new str. REQUIRES: `text` is UTF-8; ASCII when `ascii`.
inline PyObject* new_text(std::string_view text, bool ascii) {
  const auto size = static_cast<Py_ssize_t>(text.size());
  PyObject* out = nullptr;
  if (ascii) {
    out = PyUnicode_New(size, 127);
    if (out != nullptr && size > 0) std::memcpy(PyUnicode_DATA(out), text.data(), text.size());
  } else {
    out = PyUnicode_DecodeUTF8(text.data(), size, nullptr);
  }
  if (out == nullptr) throw pybind11::error_already_set();
  return out;
}

// Borrows the bytes of a bytes, bytearray, memoryview or other contiguous buffer for its lifetime;
// of a str too, as UTF-8, where `allow_text`.
class Bytes {
 public:
  explicit Bytes(PyObject* object, bool allow_text = false) {
    if (PyBytes_CheckExact(object)) {
      view_ = {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))};
    } else if (allow_text && PyUnicode_Check(object)) {
      Py_ssize_t size = 0;
      const char* text = PyUnicode_AsUTF8AndSize(object, &size);
      if (text == nullptr) {
        PyErr_Clear();
        throw Error(ErrorCode::kInvalidEncoding, "the text holds a lone surrogate, which UTF-8 cannot encode");
      }
      view_ = {text, static_cast<std::size_t>(size)};
    } else {
      if (PyObject_GetBuffer(object, &buffer_, PyBUF_SIMPLE) != 0) throw pybind11::error_already_set();
      held_ = true;
      view_ = {static_cast<const char*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
    }
  }
  ~Bytes() {
    if (held_) PyBuffer_Release(&buffer_);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  [[nodiscard]] std::string_view view() const noexcept { return view_; }

 private:
  Py_buffer buffer_{};
  bool held_ = false;
  std::string_view view_;
};

}  // namespace mastra::bindings
