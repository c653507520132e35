// Plain CPython methods on a pybind11 class: the interpreter calls them without a detour, which is most of the cost
// of a short method.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>
#include <new>
#include <string>

#include "bind.hpp"
#include "mastra/error.hpp"

namespace mastra::bindings {

// Calls work(object of `self`), which gives back a new reference; what it throws becomes the Python exception.
template <typename Object, typename Work>
PyObject* called(PyObject* self, Work work) noexcept {
  try {
    auto* object = static_cast<Object*>(reinterpret_cast<pybind11::detail::instance*>(self)->simple_value_holder[0]);
    if (object == nullptr) throw Error(ErrorCode::kInvalidArgument, std::string(Py_TYPE(self)->tp_name) + ".__init__ was not called");
    return work(*object);
  } catch (pybind11::error_already_set& error) {
    error.restore();
  } catch (const pybind11::builtin_exception& error) {
    error.set_error();
  } catch (const Error& error) {
    set_error(error);
  } catch (const std::bad_alloc&) {
    set_error(Error(ErrorCode::kOutOfMemory, "out of memory"));
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

// A function of another shape than PyCFunction, as method tables hold it.
template <typename Function>
PyCFunction plain(Function function) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

// REQUIRES: `method` lives as long as the interpreter.
inline void add_method(const pybind11::handle& type, PyMethodDef& method) {
  PyObject* const made = PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), &method);
  if (made == nullptr) throw pybind11::error_already_set();
  type.attr(method.ml_name) = pybind11::reinterpret_steal<pybind11::object>(made);
}

}  // namespace mastra::bindings
