#include "arrays.hpp"

#include <bit>
#include <cstring>

#include "mastra/error.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

[[noreturn]] void refuse(const char* what, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, std::string(what) + " " + why);
}

float half_to_float(std::uint16_t h) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000U) << 16U;
  const std::uint32_t exponent = (h >> 10U) & 31U;
  const std::uint32_t fraction = h & 1023U;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13U));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23U) | (fraction << 13U));
  const float small = static_cast<float>(fraction) * 5.9604644775390625e-8F;
  return sign != 0 ? -small : small;
}

template <class T>
T read(const std::uint8_t* from, bool swapped) noexcept {
  std::uint8_t raw[sizeof(T)];
  for (std::size_t i = 0; i < sizeof(T); ++i) raw[i] = from[swapped ? sizeof(T) - 1 - i : i];
  T out;
  std::memcpy(&out, raw, sizeof(T));
  return out;
}

float as_float(const Buffer& buffer, const std::uint8_t* from) noexcept {
  if (buffer.kind() == 'f') return read<float>(from, buffer.swapped());
  if (buffer.kind() == 'd') return static_cast<float>(read<double>(from, buffer.swapped()));
  return half_to_float(read<std::uint16_t>(from, buffer.swapped()));
}

std::vector<float> to_floats(const Buffer& buffer) {
  std::vector<float> out(buffer.rows() * buffer.width());
  std::size_t next = 0;
  for (std::size_t r = 0; r < buffer.rows(); ++r) {
    for (std::size_t c = 0; c < buffer.width(); ++c) out[next++] = as_float(buffer, buffer.at(r, c));
  }
  return out;
}

bool is_float(char kind) { return kind == 'f' || kind == 'd' || kind == 'e'; }

}  // namespace

Buffer::Buffer(py::handle object, const char* what) : owner_(py::reinterpret_borrow<py::object>(object)) {
  if (PyObject_CheckBuffer(object.ptr()) == 0) {
    const bool list = py::isinstance<py::list>(object) || py::isinstance<py::tuple>(object);
    if (!list && !py::hasattr(object, "__array__")) refuse(what, "must be an array, a buffer or a list of numbers.");
    try {
      owner_ = py::module_::import("numpy").attr("asarray")(object);
    } catch (py::error_already_set& error) {
      if (!error.matches(PyExc_ValueError) && !error.matches(PyExc_TypeError)) throw;
      refuse(what, "is no array of numbers: its rows differ in length or hold something else.");
    }
  }
  if (PyObject_GetBuffer(owner_.ptr(), &view_, PyBUF_STRIDES | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    refuse(what, "has no readable buffer of numbers.");
  }
  const char* format = view_.format == nullptr ? "B" : view_.format;
  if (*format == '<' || *format == '>' || *format == '!' || *format == '@' || *format == '=') {
    const bool big = *format == '>' || *format == '!';
    const bool little = *format == '<';
    swapped_ = std::endian::native == std::endian::little ? big : little;
    ++format;
  }
  kind_ = format[0] != '\0' && format[1] == '\0' ? format[0] : '?';
  if (kind_ == '?' && std::strcmp(format, "?") != 0) kind_ = '!';
  if (view_.ndim != 1 && view_.ndim != 2) {
    const int axes = view_.ndim;
    PyBuffer_Release(&view_);
    refuse(what, "must have one or two axes, not " + std::to_string(axes) + ".");
  }
}

Buffer::~Buffer() { PyBuffer_Release(&view_); }

const std::uint8_t* Buffer::at(std::size_t row, std::size_t column) const noexcept {
  const Py_ssize_t across = view_.strides[view_.ndim - 1] * static_cast<Py_ssize_t>(column);
  const Py_ssize_t down = view_.ndim == 2 ? view_.strides[0] * static_cast<Py_ssize_t>(row) : 0;
  return data() + down + across;
}

bool Buffer::plain() const noexcept {
  if (swapped_ || reinterpret_cast<std::uintptr_t>(view_.buf) % item() != 0) return false;
  const auto bytes = static_cast<Py_ssize_t>(item());
  if (width() > 1 && view_.strides[view_.ndim - 1] != bytes) return false;
  return rows() <= 1 || view_.ndim == 1 || view_.strides[0] == bytes * static_cast<Py_ssize_t>(width());
}

std::vector<std::uint8_t> Buffer::packed() const {
  std::vector<std::uint8_t> out(rows() * width() * item());
  std::uint8_t* to = out.data();
  for (std::size_t r = 0; r < rows(); ++r) {
    for (std::size_t c = 0; c < width(); ++c, to += item()) {
      const std::uint8_t* from = at(r, c);
      for (std::size_t i = 0; i < item(); ++i) to[i] = from[swapped_ ? item() - 1 - i : i];
    }
  }
  return out;
}

FloatRows::FloatRows(py::handle object, const char* what) : buffer_(object, what) {
  const bool list = py::isinstance<py::list>(object) || py::isinstance<py::tuple>(object);
  view_ = {nullptr, buffer_.rows(), buffer_.width(), buffer_.width()};
  if (list && view_.rows * view_.dim == 0) return;
  if (list && !is_float(buffer_.kind()) && std::strchr("bhilqBHILQ", buffer_.kind()) != nullptr) {
    const py::object floats = py::module_::import("numpy").attr("asarray")(object, "float32");
    copy_ = to_floats(Buffer(floats, what));
    view_.data = copy_.data();
    return;
  }
  if (!is_float(buffer_.kind())) {
    refuse(what, std::string("must hold float16, float32 or float64 numbers, not items of format '") +
                     buffer_.kind() + "'.");
  }
  if (buffer_.kind() == 'f' && buffer_.plain()) {
    view_.data = reinterpret_cast<const float*>(buffer_.data());
    return;
  }
  copy_ = to_floats(buffer_);
  view_.data = copy_.data();
}

ElementRows::ElementRows(py::handle object, const std::optional<std::string>& element, const char* what)
    : buffer_(object, what), width_(buffer_.width()) {
  const char kind = buffer_.kind();
  if (element) {
    element_ = element_named(*element);
  } else if (kind == 'e') {
    element_ = Element::kF16;
  } else if (kind == 'b') {
    element_ = Element::kI8;
  } else if (!is_float(kind)) {
    refuse(what, "holds neither floats nor int8; name its element type: bf16, u4 or bits.");
  }
  if (element_ == Element::kU4) width_ *= 2;
  if (element_ == Element::kBits) width_ *= 8;
  const bool bytes = element_ == Element::kU4 || element_ == Element::kBits;
  const char* kinds = element_ == Element::kF32    ? "fde"
                      : element_ == Element::kBf16 ? "H"
                      : element_ == Element::kF16  ? "eH"
                      : bytes                      ? "B"
                                                   : "b";
  if (std::strchr(kinds, kind) == nullptr) refuse(what, "does not hold items of the named element type.");
  row_bytes_ = buffer_.width() * buffer_.item();
  if (element_ == Element::kF32 && kind != 'f') {
    floats_ = to_floats(buffer_);
    row_bytes_ = buffer_.width() * sizeof(float);
    data_ = reinterpret_cast<const std::uint8_t*>(floats_.data());
  } else if (buffer_.plain()) {
    data_ = buffer_.data();
  } else {
    copy_ = buffer_.packed();
    data_ = copy_.data();
  }
}

std::vector<std::uint64_t> ids_from(py::handle object, const char* what) {
  if (PyLong_Check(object.ptr())) {  // one id
    const std::uint64_t id = PyLong_AsUnsignedLongLong(object.ptr());
    if (PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      refuse(what, "must lie between 0 and 2^64 - 1.");
    }
    return {id};
  }
  const Buffer buffer(object, what);
  if (!buffer.single()) refuse(what, "must have one axis.");
  std::vector<std::uint64_t> out(buffer.width());
  if (out.empty()) return out;
  const std::size_t item = buffer.item();
  const bool with_sign = std::strchr("bhilq", buffer.kind()) != nullptr;
  if (!with_sign && std::strchr("BHILQN", buffer.kind()) == nullptr) refuse(what, "must hold integers.");
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint8_t* from = buffer.at(0, i);
    std::int64_t value = 0;
    if (item == 8) {
      value = read<std::int64_t>(from, buffer.swapped());
    } else if (item == 4) {
      value = with_sign ? read<std::int32_t>(from, buffer.swapped())
                        : static_cast<std::int64_t>(read<std::uint32_t>(from, buffer.swapped()));
    } else if (item == 2) {
      value = with_sign ? read<std::int16_t>(from, buffer.swapped()) : read<std::uint16_t>(from, buffer.swapped());
    } else {
      value = with_sign ? static_cast<std::int8_t>(*from) : *from;
    }
    if (with_sign && value < 0) refuse(what, "must not hold negative numbers.");
    out[i] = static_cast<std::uint64_t>(value);
  }
  return out;
}

}  // namespace mastra::bindings
