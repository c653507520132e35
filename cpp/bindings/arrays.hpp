// Arrays from Python: anything with the buffer protocol, lists and tuples, without importing numpy for buffers.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mastra/distance.hpp"
#include "mastra/exact_search.hpp"

namespace mastra::bindings {

// A held Py_buffer; let go on destruction, so it must die under the GIL.
class Buffer {
 public:
  // `what` names the argument in errors. Lists, tuples and objects with __array__ pass through numpy.
  Buffer(pybind11::handle object, const char* what);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  [[nodiscard]] std::size_t rows() const noexcept { return view_.ndim == 2 ? size(0) : 1; }
  [[nodiscard]] std::size_t width() const noexcept { return size(view_.ndim - 1); }
  [[nodiscard]] bool single() const noexcept { return view_.ndim == 1; }
  [[nodiscard]] std::size_t item() const noexcept { return static_cast<std::size_t>(view_.itemsize); }
  [[nodiscard]] char kind() const noexcept { return kind_; }
  [[nodiscard]] bool swapped() const noexcept { return swapped_; }
  // Rows lie one after the other, items too, in this machine's byte order, and aligned.
  [[nodiscard]] bool plain() const noexcept;
  [[nodiscard]] const std::uint8_t* data() const noexcept { return static_cast<const std::uint8_t*>(view_.buf); }
  [[nodiscard]] const std::uint8_t* at(std::size_t row, std::size_t column) const noexcept;
  // The items of all rows, one after the other, in this machine's byte order.
  [[nodiscard]] std::vector<std::uint8_t> packed() const;

 private:
  [[nodiscard]] std::size_t size(int axis) const noexcept { return static_cast<std::size_t>(view_.shape[axis]); }

  pybind11::object owner_;
  Py_buffer view_{};
  char kind_ = 0;
  bool swapped_ = false;
};

// Float rows as f32: borrowed when they lie right, converted otherwise. float16, float32 and float64 only.
class FloatRows {
 public:
  FloatRows(pybind11::handle object, const char* what);
  [[nodiscard]] MatrixView view() const noexcept { return view_; }
  [[nodiscard]] bool single() const noexcept { return buffer_.single(); }

 private:
  Buffer buffer_;
  std::vector<float> copy_;
  MatrixView view_;
};

// Rows of one element type, which is read off the array or named ("bf16", "u4", "bits").
class ElementRows {
 public:
  ElementRows(pybind11::handle object, const std::optional<std::string>& element, const char* what);
  [[nodiscard]] Element element() const noexcept { return element_; }
  [[nodiscard]] std::size_t rows() const noexcept { return buffer_.rows(); }
  [[nodiscard]] std::size_t width() const noexcept { return width_; }  // in elements
  [[nodiscard]] bool single() const noexcept { return buffer_.single(); }
  [[nodiscard]] const std::uint8_t* row(std::size_t i) const noexcept { return data_ + i * row_bytes_; }

 private:
  Buffer buffer_;
  Element element_ = Element::kF32;
  std::size_t width_ = 0;
  std::size_t row_bytes_ = 0;
  std::vector<std::uint8_t> copy_;
  std::vector<float> floats_;
  const std::uint8_t* data_ = nullptr;
};

// Unsigned 64-bit ids from any integer array or list; negative ones are refused.
std::vector<std::uint64_t> ids_from(pybind11::handle object, const char* what);

}  // namespace mastra::bindings
