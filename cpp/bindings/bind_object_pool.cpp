// A pool of Python objects. Its methods are plain CPython ones: the interpreter calls them without a detour,
// and the call is most of their cost.
#include <pybind11/pybind11.h>
#include <pybind11/typing.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "mastra/object_pool.hpp"
#include "plain_methods.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Make = py::typing::Callable<py::object()>;

enum class Place : std::uint8_t { kFree, kOut, kLent };

// A slot's content: the Python object, made when the slot is first used.
struct Held {
  py::object object;
  Place place = Place::kFree;
};

// One thread at a time in the methods of one object: what the GIL does where there is one. Like the GIL it is
// given up while Python code runs, which may come back into the same methods.
class OneAtATime {
 public:
#ifdef Py_GIL_DISABLED
  explicit OneAtATime(PyObject* self) noexcept { PyCriticalSection_Begin(&section_, self); }
  ~OneAtATime() { PyCriticalSection_End(&section_); }

 private:
  PyCriticalSection section_;
#else
  explicit OneAtATime(PyObject* /*self*/) noexcept {}
#endif
 public:
  OneAtATime(const OneAtATime&) = delete;
  OneAtATime& operator=(const OneAtATime&) = delete;
};

// Nobody but the pool holds it. A free-threaded interpreter before 3.14 cannot tell.
bool alone(PyObject* object) noexcept {
#if PY_VERSION_HEX >= 0x030E0000
  return PyUnstable_Object_IsUniquelyReferenced(object) != 0;
#elif defined(Py_GIL_DISABLED)
  return object == nullptr;
#else
  return Py_REFCNT(object) == 1;
#endif
}

class PyObjectPool {
 public:
  PyObjectPool(Make make, py::object reset, std::size_t capacity)
      : make_(std::move(make)), reset_(std::move(reset)), pool_(capacity, [] { return Held{}; }) {}

  PyObject* acquire() {
    Held* held = std::exchange(hot_, nullptr);
    if (held == nullptr) held = next();
    held->place = Place::kOut;
    last_ = held;
    ++uses_;
    return Py_NewRef(held->object.ptr());
  }

  // An object whose reset raises is let go: the next acquire makes a new one.
  void release(PyObject* object) {
    Held* held = last_ != nullptr && last_->object.ptr() == object ? last_ : find(object);
    if (held->place != Place::kOut) {
      throw Error(ErrorCode::kInvalidArgument, held->place == Place::kLent
                                                   ? "this object was borrowed: it comes back when nobody holds it"
                                                   : "this object is not out: it was released before");
    }
    held->place = Place::kFree;
    if (!closed_) wipe(held, object);
    if (closed_) {
      const py::object last = forget(held);
    } else if (hot_ == nullptr) {
      hot_ = held;
    } else {
      pool_.release(held);
    }
  }

  // An object that was lent and that nobody holds any more is free; it is wiped when it is handed out again.
  PyObject* borrow() {
    Held* held = returned(kProbes);
    if (held != nullptr && reset_.is_none()) {
      ++uses_;
      return Py_NewRef(held->object.ptr());
    }
    if (held == nullptr) {
      held = std::exchange(hot_, nullptr);
      if (held == nullptr) held = pool_.try_acquire();
      if (held == nullptr) held = returned(lent_.size());
      if (held == nullptr) held = pool_.acquire();  // says that all are out
      if (!held->object) make(held);
      if (held->place != Place::kLent) lent_.push_back(held);
    }
    py::object out = held->object;
    if (std::exchange(held->place, Place::kFree) == Place::kLent) wipe(held, out.ptr());
    refuse_if_closed(held);
    held->place = Place::kLent;
    ++uses_;
    return out.release().ptr();
  }

  // Lets the free objects go; the ones that are out go when they come back.
  void close() {
    if (std::exchange(closed_, true)) return;
    std::vector<py::object> last;  // destroyed at the end: their code may come back here
    for (auto at = places_.begin(); at != places_.end();) {
      Held* const held = at->second;
      if (held->place == Place::kOut) {
        ++at;
        continue;
      }
      last.push_back(std::move(held->object));
      at = places_.erase(at);
    }
    for (Held* held : lent_) {
      if (std::exchange(held->place, Place::kFree) == Place::kLent) pool_.release(held);
    }
    lent_.clear();
    if (hot_ != nullptr) pool_.release(hot_);
    hot_ = last_ = nullptr;
    pool_.close();
  }

  [[nodiscard]] py::typing::Dict<py::str, py::int_> stats() const {
    const PoolStats stats = pool_.stats();
    std::size_t free = hot_ != nullptr ? 1 : 0;
    for (const Held* held : lent_) free += alone(held->object.ptr()) ? 1 : 0;
    py::typing::Dict<py::str, py::int_> out;
    out["hits"] = uses_ - made_;
    out["misses"] = made_;
    out["outstanding"] = stats.outstanding > free ? stats.outstanding - free : 0;
    out["high_water"] = stats.high_water;
    out["capacity"] = stats.capacity;
    return out;
  }

  int traverse(visitproc visit, void* arg) const {
    Py_VISIT(make_.ptr());
    Py_VISIT(reset_.ptr());
    for (const auto& each : places_) Py_VISIT(each.first);
    return 0;
  }

  // Breaks the cycles this pool is part of; after it the pool is closed.
  void clear() {
    close();
    py::object make = std::move(make_);
    py::object reset = std::exchange(reset_, py::none());
    std::vector<py::object> last;
    for (const auto& each : places_) last.push_back(std::move(each.second->object));
    places_.clear();
  }

 private:
  static constexpr std::size_t kProbes = 64;  // lent objects looked at before one more is made

  Held* next() {
    Held* held = pool_.try_acquire();
    if (held == nullptr && (held = returned(lent_.size())) != nullptr) {
      lent_.erase(std::find(lent_.begin(), lent_.end(), held));
      held->place = Place::kFree;
      const py::object out = held->object;
      wipe(held, out.ptr());
      refuse_if_closed(held);
    }
    if (held == nullptr) held = pool_.acquire();
    if (!held->object) make(held);
    return held;
  }

  // A lent object that came back, among the first `most`. Found ones move to the front, so that few are looked at.
  Held* returned(std::size_t most) noexcept {
    most = std::min(most, lent_.size());
    for (std::size_t at = 0; at < most; ++at) {
      Held* const held = lent_[at];
      if (!alone(held->object.ptr())) continue;
      if (at > 0) std::swap(lent_[at], lent_[at - 1]);
      return held;
    }
    return nullptr;
  }

  Held* find(PyObject* object) const {
    const auto place = places_.find(object);
    if (place == places_.end()) throw Error(ErrorCode::kInvalidArgument, "this object is not of this pool");
    return place->second;
  }

  // The pool may be closed while an object is made or wiped.
  void refuse_if_closed(Held* held) {
    if (!closed_) return;
    const py::object last = forget(held);
    throw Error(ErrorCode::kClosed, "this pool was closed");
  }

  // REQUIRES: the caller holds a reference to `object`, and its place is kFree. Runs Python code.
  void wipe(Held* held, PyObject* object) {
    if (reset_.is_none()) return;
    const py::object reset = reset_;
    PyObject* const done = PyObject_CallOneArg(reset.ptr(), object);
    if (done == nullptr) {
      py::error_already_set error;
      const py::object last = forget(held);
      throw error;
    }
    Py_DECREF(done);
  }

  void make(Held* held) {
    const py::object call = make_;
    const auto made = py::reinterpret_steal<py::object>(PyObject_CallNoArgs(call.ptr()));
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
    const auto at = std::find(lent_.begin(), lent_.end(), held);
    if (at != lent_.end()) lent_.erase(at);
    held->place = Place::kFree;
    if (last_ == held) last_ = nullptr;
    py::object last = std::move(held->object);
    pool_.release(held);
    return last;
  }

  Make make_;
  py::object reset_;
  ObjectPool<Held> pool_;
  std::unordered_map<PyObject*, Held*> places_;
  std::vector<Held*> lent_;
  Held* hot_ = nullptr;   // free, and taken before the pool is asked
  Held* last_ = nullptr;  // the last one acquired: most often the next one released
  std::uint64_t made_ = 0;
  std::uint64_t uses_ = 0;
  bool closed_ = false;
};

template <typename Work>
PyObject* alone_with(PyObject* self, Work work) noexcept {
  return called<PyObjectPool>(self, [&](PyObjectPool& pool) {
    const OneAtATime guard(self);
    return work(pool);
  });
}

PyObject* acquire(PyObject* self, PyObject* /*unused*/) {
  return alone_with(self, [](PyObjectPool& pool) { return pool.acquire(); });
}

PyObject* release(PyObject* self, PyObject* object) {
  return alone_with(self, [object](PyObjectPool& pool) {
    pool.release(object);
    return Py_NewRef(Py_None);
  });
}

PyObject* borrow(PyObject* self, PyObject* /*unused*/) {
  return alone_with(self, [](PyObjectPool& pool) { return pool.borrow(); });
}

PyObject* close(PyObject* self, PyObject* /*unused*/) {
  return alone_with(self, [](PyObjectPool& pool) {
    pool.close();
    return Py_NewRef(Py_None);
  });
}

PyObject* stats(PyObject* self, PyObject* /*unused*/) {
  return alone_with(self, [](const PyObjectPool& pool) { return pool.stats().release().ptr(); });
}

// Holds one object of a pool inside a `with` block.
struct Lease {
  PyObject ob_base;
  PyObject* pool;
  PyObject* item;
};

PyTypeObject* lease_type = nullptr;  // made once, with the module

PyObject* lease(PyObject* self, PyObject* /*unused*/) {
  auto* out = reinterpret_cast<Lease*>(lease_type->tp_alloc(lease_type, 0));
  if (out != nullptr) out->pool = Py_NewRef(self);
  return reinterpret_cast<PyObject*>(out);
}

PyObject* lease_enter(PyObject* self, PyObject* /*unused*/) {
  auto& held = *reinterpret_cast<Lease*>(self);
  const OneAtATime guard(self);
  if (held.item != nullptr) {
    set_error(Error(ErrorCode::kInvalidArgument, "this lease was entered and not left"));
    return nullptr;
  }
  PyObject* const item = acquire(held.pool, nullptr);
  if (item != nullptr) held.item = Py_NewRef(item);
  return item;
}

PyObject* lease_exit(PyObject* self, PyObject* const* /*error*/, Py_ssize_t /*count*/) {
  auto& held = *reinterpret_cast<Lease*>(self);
  const OneAtATime guard(self);
  const auto item = py::reinterpret_steal<py::object>(std::exchange(held.item, nullptr));
  if (!item) {
    set_error(Error(ErrorCode::kInvalidArgument, "this lease was not entered"));
    return nullptr;
  }
  return release(held.pool, item.ptr());
}

int lease_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<Lease*>(self)->pool);
  Py_VISIT(reinterpret_cast<Lease*>(self)->item);
  return 0;
}

int lease_clear(PyObject* self) {
  Py_CLEAR(reinterpret_cast<Lease*>(self)->pool);
  Py_CLEAR(reinterpret_cast<Lease*>(self)->item);
  return 0;
}

void lease_free(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  lease_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef kGeneric = {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "__class_getitem__(item: typing.Any) -> typing.Any\n\nObjectPool[T] names the objects' type."};

PyMethodDef kLeaseMethods[] = {
    {"__enter__", lease_enter, METH_NOARGS, "__enter__(self: mastra._core.Lease) -> typing.Any\n\nTakes an object."},
    {"__exit__", plain(lease_exit), METH_FASTCALL, "__exit__(self: mastra._core.Lease, *error: typing.Any) -> None\n\nGives it back."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, kGeneric.ml_doc},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot kLeaseSlots[] = {
    {Py_tp_doc, const_cast<char*>("An object of a pool for the length of a `with` block; may be entered again after it was left.")},
    {Py_tp_methods, kLeaseMethods},
    {Py_tp_traverse, reinterpret_cast<void*>(lease_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(lease_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(lease_free)},
    {0, nullptr}};

PyType_Spec kLease = {"mastra._core.Lease", sizeof(Lease), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      kLeaseSlots};

PyMethodDef kMethods[] = {
    {"acquire", acquire, METH_NOARGS,
     "acquire(self: mastra._core.ObjectPool) -> typing.Any\n\nAn object nobody else has; NativeLimit when all are out, NativeClosed after close."},
    {"release", release, METH_O,
     "release(self: mastra._core.ObjectPool, item: typing.Any) -> None\n\nResets the object and makes it free. NativeInvalidArgument for "
     "a foreign object and for one that is not out."},
    {"borrow", borrow, METH_NOARGS,
     "borrow(self: mastra._core.ObjectPool) -> typing.Any\n\nAn object nobody else has, which is free again as soon as nobody holds it; it is reset "
     "when it is handed out again."},
    {"lease", lease, METH_NOARGS, "lease(self: mastra._core.ObjectPool) -> mastra._core.Lease\n\nAn object for the length of a `with` block."},
    {"close", close, METH_NOARGS,
     "close(self: mastra._core.ObjectPool) -> None\n\nLets the free objects go; the ones that are out go when they come back."},
    {"stats", stats, METH_NOARGS, "stats(self: mastra._core.ObjectPool) -> dict[str, int]\n\nhits, misses, outstanding, high_water, capacity."}};

py::object checked(PyObject* made) {
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}

// A pool holds code and objects that may hold the pool: the garbage collector must see them.
void collected(PyHeapTypeObject* heap_type) {
  PyTypeObject& type = heap_type->ht_type;
  type.tp_flags |= Py_TPFLAGS_HAVE_GC;
  type.tp_traverse = [](PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    const auto* pool = static_cast<const PyObjectPool*>(reinterpret_cast<py::detail::instance*>(self)->simple_value_holder[0]);
    return pool == nullptr ? 0 : pool->traverse(visit, arg);
  };
  type.tp_clear = [](PyObject* self) {
    auto* pool = static_cast<PyObjectPool*>(reinterpret_cast<py::detail::instance*>(self)->simple_value_holder[0]);
    if (pool != nullptr) pool->clear();
    return 0;
  };
}

}  // namespace

void bind_object_pool(py::module_& module) {
  module.attr("Lease") = checked(PyType_FromSpec(&kLease));
  lease_type = reinterpret_cast<PyTypeObject*>(py::object(module.attr("Lease")).release().ptr());
  py::class_<PyObjectPool> pool(module, "ObjectPool",
                                "A bounded pool of objects that are dear to make and easy to wipe.\n\n"
                                "At most `capacity` objects made by `make`; `reset` wipes one that comes back. For any thread.\n"
                                "What `make` and `reset` raise passes through; an object whose reset raised is let go.",
                                py::custom_type_setup(collected));
  pool.def(py::init<Make, py::object, std::size_t>(), py::arg("make"), py::kw_only(), py::arg("reset") = py::none(), py::arg("capacity") = 64);
  auto* const type = reinterpret_cast<PyTypeObject*>(pool.ptr());
  for (PyMethodDef& method : kMethods) add_method(pool, method);
  pool.attr(kGeneric.ml_name) = checked(PyDescr_NewClassMethod(type, &kGeneric));
}

}  // namespace mastra::bindings
