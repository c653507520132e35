// A Python list made at its final size: most chunks complete a few items, and a list that grows is moved again and
// again.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <vector>

namespace mastra::bindings {

class ListBuilder {
 public:
  ListBuilder() = default;
  ListBuilder(const ListBuilder&) = delete;
  ListBuilder& operator=(const ListBuilder&) = delete;
  ~ListBuilder() {
    std::for_each(far_.begin(), far_.end(), Py_DecRef);
    std::for_each(near_.begin(), near_.begin() + near_count_, Py_DecRef);
  }

  [[nodiscard]] bool empty() const noexcept { return near_count_ == 0 && far_.empty(); }

  // Takes over the reference.
  void append(PyObject* item) {
    if (near_count_ == kNear) spill(item);
    near_[static_cast<std::size_t>(near_count_++)] = item;
  }

  // The list of all items; the builder is empty after it.
  PyObject* take() {
    const auto far_count = static_cast<Py_ssize_t>(far_.size());
    PyObject* const list = PyList_New(far_count + near_count_);
    if (list == nullptr) throw pybind11::error_already_set();
    for (Py_ssize_t i = 0; i < far_count; ++i) PyList_SET_ITEM(list, i, far_[static_cast<std::size_t>(i)]);
    for (Py_ssize_t i = 0; i < near_count_; ++i) PyList_SET_ITEM(list, far_count + i, near_[static_cast<std::size_t>(i)]);
    far_.clear();
    near_count_ = 0;
    return list;
  }

 private:
  static constexpr Py_ssize_t kNear = 64;

  void spill(PyObject* item) {
    try {
      far_.insert(far_.end(), near_.begin(), near_.end());
    } catch (...) {
      Py_DECREF(item);
      throw;
    }
    near_count_ = 0;
  }

  std::array<PyObject*, kNear> near_;  // the first near_count_ are set
  Py_ssize_t near_count_ = 0;
  std::vector<PyObject*> far_;
};

}  // namespace mastra::bindings
