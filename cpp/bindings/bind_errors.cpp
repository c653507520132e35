// mastra::Error becomes the Python NativeError subclass of its code, made by mastra.errors.
#include <pybind11/pybind11.h>

#include <exception>
#include <new>

#include "bind.hpp"
#include "mastra/error.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

const char* class_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "NativeInvalidArgument";
    case ErrorCode::kDimensionMismatch: return "DimensionMismatch";
    case ErrorCode::kNotFound: return "NativeNotFound";
    case ErrorCode::kAlreadyExists: return "NativeAlreadyExists";
    case ErrorCode::kCorrupt: return "NativeCorrupt";
    case ErrorCode::kUnsupported: return "NativeUnsupported";
    case ErrorCode::kClosed: return "NativeClosed";
    case ErrorCode::kLimit: return "NativeLimit";
    case ErrorCode::kInvalidEncoding: return "NativeInvalidEncoding";
    case ErrorCode::kIo: return "NativeIo";
    case ErrorCode::kOutOfMemory: return "NativeOutOfMemory";
    case ErrorCode::kInternal: break;
  }
  return "NativeError";
}

}  // namespace

void set_error(const Error& error) {
  const py::object type = py::module_::import("mastra.errors").attr(class_name(error.code()));
  py::set_error(type, error.what());
}

void bind_errors(py::module_& /*module*/) {
  py::register_local_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      set_error(error);
    } catch (const std::bad_alloc&) {
      set_error(Error(ErrorCode::kOutOfMemory, "out of memory"));
    }
  });
}

}  // namespace mastra::bindings
