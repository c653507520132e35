// A pool of Python objects. acquire and release are plain CPython methods: the call is most of their cost.
#include <pybind11/pybind11.h>
#include <pybind11/typing.h>

#include <exception>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "mastra/object_pool.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Make = py::typing::Callable<py::object()>;

// A slot's content: the Python object, made when the slot is first used.
struct Held {
  py::object object;
  bool out = false;
};

// All methods run under the GIL; Python code they call may come back into them.
class PyObjectPool {
 public:
  PyObjectPool(Make make, py::object reset, std::size_t capacity)
      : make_(std::move(make)), reset_(std::move(reset)), pool_(capacity, [] { return Held{}; }) {}

  PyObject* acquire() {
    Held* held = pool_.acquire();
    if (!held->object) make(held);
    held->out = true;
    ++uses_;
    return Py_NewRef(held->object.ptr());
  }

  // An object whose reset raises is let go: the next acquire makes a new one.
  void release(PyObject* object) {
    const auto place = places_.find(object);
    if (place == places_.end()) throw Error(ErrorCode::kInvalidArgument, "this object is not of this pool");
    Held* held = place->second;
    if (!std::exchange(held->out, false)) {
      throw Error(ErrorCode::kInvalidArgument, "this object is not out: it was released before");
    }
    PyObject* done = nullptr;
    if (!closed_ && !reset_.is_none()) {
      done = PyObject_CallOneArg(reset_.ptr(), object);
      if (done == nullptr) {
        py::error_already_set error;
        const py::object last = forget(held);
        throw error;
      }
      Py_DECREF(done);
    }
    if (closed_) {
      const py::object last = forget(held);
    } else {
      pool_.release(held);
    }
  }

  // Lets the free objects go; the ones that are out go when they come back.
  void close() {
    if (std::exchange(closed_, true)) return;
    std::vector<py::object> last;  // destroyed at the end: their code may come back here
    for (auto at = places_.begin(); at != places_.end();) {
      if (at->second->out) {
        ++at;
      } else {
        last.push_back(std::move(at->second->object));
        at = places_.erase(at);
      }
    }
    pool_.close();
  }

  [[nodiscard]] py::typing::Dict<py::str, py::int_> stats() const {
    const PoolStats stats = pool_.stats();
    py::typing::Dict<py::str, py::int_> out;
    out["hits"] = uses_ - made_;
    out["misses"] = made_;
    out["outstanding"] = stats.outstanding;
    out["high_water"] = stats.high_water;
    out["capacity"] = stats.capacity;
    return out;
  }

 private:
  void make(Held* held) {
    const auto made = py::reinterpret_steal<py::object>(PyObject_CallNoArgs(make_.ptr()));
    if (!made) {
      const py::error_already_set error;
      pool_.release(held);
      throw error;
    }
    if (!places_.emplace(made.ptr(), held).second) {
      pool_.release(held);
      throw Error(ErrorCode::kAlreadyExists, "make returned an object that the pool has already");
    }
    held->object = made;
    ++made_;
  }

  py::object forget(Held* held) {
    places_.erase(held->object.ptr());
    py::object last = std::move(held->object);
    pool_.release(held);
    return last;
  }

  Make make_;
  py::object reset_;
  ObjectPool<Held> pool_;
  std::unordered_map<PyObject*, Held*> places_;
  std::uint64_t made_ = 0;
  std::uint64_t uses_ = 0;
  bool closed_ = false;
};

template <typename Work>
PyObject* called(PyObject* self, Work work) noexcept {
  try {
    auto* pool = static_cast<PyObjectPool*>(reinterpret_cast<py::detail::instance*>(self)->simple_value_holder[0]);
    if (pool == nullptr) throw Error(ErrorCode::kInvalidArgument, "ObjectPool.__init__ was not called");
    return work(*pool);
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const Error& error) {
    set_error(error);
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

PyObject* acquire(PyObject* self, PyObject* /*unused*/) {
  return called(self, [](PyObjectPool& pool) { return pool.acquire(); });
}

PyObject* release(PyObject* self, PyObject* object) {
  return called(self, [object](PyObjectPool& pool) {
    pool.release(object);
    return Py_NewRef(Py_None);
  });
}

PyMethodDef kAcquire = {"acquire", acquire, METH_NOARGS,
                        "acquire(self: mastra._core.ObjectPool) -> typing.Any\n\nAn object nobody else has; NativeLimit when all are out, "
                        "NativeClosed after close."};
PyMethodDef kRelease = {"release", release, METH_O,
                        "release(self: mastra._core.ObjectPool, item: typing.Any) -> None\n\nResets the object and makes it free. NativeInvalidArgument for "
                        "a foreign object and for one that is not out."};

void add_method(py::handle type, PyMethodDef& method) {
  const auto descriptor = py::reinterpret_steal<py::object>(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), &method));
  if (!descriptor) throw py::error_already_set();
  type.attr(method.ml_name) = descriptor;
}

}  // namespace

void bind_object_pool(py::module_& module) {
  py::class_<PyObjectPool> pool(module, "ObjectPool",
                                "A bounded pool of objects that are dear to make and easy to wipe.\n\n"
                                "`make` makes one when none is free, `reset` wipes one that comes back.");
  pool.def(py::init<Make, py::object, std::size_t>(), py::arg("make"), py::kw_only(), py::arg("reset") = py::none(),
           py::arg("capacity") = 64)
      .def("close", &PyObjectPool::close, "Lets the free objects go; the ones that are out go when they come back.")
      .def("stats", &PyObjectPool::stats, "hits, misses, outstanding, high_water, capacity.");
  add_method(pool, kAcquire);
  add_method(pool, kRelease);
}

}  // namespace mastra::bindings
