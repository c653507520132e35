// The cache of Python objects. All methods run under the GIL and never give it up while a shard is locked.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "bind.hpp"
#include "mastra/cache.hpp"
#include "plain_methods.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace mastra::bindings {
namespace {

using Objects = Cache<py::object>;
using Clock = py::typing::Callable<py::float_()>;

class PyCache {
 public:
  PyCache(std::size_t max_entries, std::size_t max_bytes, std::size_t shards, std::optional<Clock> clock)
      : cache_({max_entries, max_bytes, shards}), clock_(std::move(clock)) {}

  py::object get(PyObject* key, PyObject* missing) {
    Objects::Dropped dropped;
    auto value = cache_.get(text(key), now(), dropped);
    return value ? std::move(*value) : py::reinterpret_borrow<py::object>(missing);
  }

  bool set(PyObject* key, const py::object& value, std::optional<double> ttl_s, std::optional<std::size_t> size, bool only_new) {
    // A time to live beyond a century is none.
    const bool expiring = ttl_s && !(*ttl_s >= 3e9);
    if (expiring && !(*ttl_s > 0)) throw Error(ErrorCode::kInvalidArgument, "ttl_s must be above 0");
    if (expiring) timed_ = true;
    const std::int64_t at = now();
    const std::int64_t expires = expiring ? at + std::max<std::int64_t>(static_cast<std::int64_t>(std::ceil(*ttl_s * 1e9)), 1) : 0;
    Objects::Dropped dropped;
    return cache_.set(text(key), value, size ? *size : weight(value.ptr()), expires, at, only_new, dropped);
  }

  bool erase(const py::str& key) {
    Objects::Dropped dropped;
    return cache_.erase(text(key.ptr()), dropped);
  }

  void clear() {
    Objects::Dropped dropped;
    cache_.clear(dropped);
  }

  std::size_t purge() {
    Objects::Dropped dropped;
    return cache_.purge(now(), dropped);
  }

  [[nodiscard]] py::typing::Dict<py::str, py::int_> stats() const {
    const CacheStats stats = cache_.stats();
    py::typing::Dict<py::str, py::int_> out;
    out["hits"] = stats.hits;
    out["misses"] = stats.misses;
    out["sets"] = stats.sets;
    out["evictions"] = stats.evictions;
    out["expirations"] = stats.expirations;
    out["entries"] = stats.entries;
    out["bytes"] = stats.bytes;
    return out;
  }

  [[nodiscard]] std::size_t size() const { return cache_.stats().entries; }

 private:
  static std::string_view text(PyObject* key) {
    Py_ssize_t size = 0;
    const char* bytes = PyUnicode_Check(key) ? PyUnicode_AsUTF8AndSize(key, &size) : nullptr;
    if (bytes == nullptr) {
      if (PyErr_Occurred() == nullptr) throw py::type_error("the key of a cache is a str");
      PyErr_Clear();
      throw Error(ErrorCode::kInvalidEncoding, "the key holds a lone surrogate");
    }
    return {bytes, static_cast<std::size_t>(size)};
  }

  static std::size_t weight(PyObject* value) {
    if (PyBytes_Check(value)) return static_cast<std::size_t>(PyBytes_GET_SIZE(value));
    if (PyUnicode_Check(value)) return static_cast<std::size_t>(PyUnicode_GET_LENGTH(value)) * PyUnicode_KIND(value);
    return 0;
  }

  // Nanoseconds. The clock is asked before any lock is taken: it may be Python code. Nobody looks at it where nothing
  // was ever kept for a limited time.
  [[nodiscard]] std::int64_t now() const {
    if (!timed_) return 0;
    if (clock_) return static_cast<std::int64_t>((*clock_)().cast<double>() * 1e9);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  Objects cache_;
  std::optional<Clock> clock_;
  std::atomic<bool> timed_{false};
};

// get and set are plain CPython methods: the call is most of their cost.
PyObject* get(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (count < 1 || count > 2) {
    PyErr_SetString(PyExc_TypeError, "get takes a key and, if you like, a default");
    return nullptr;
  }
  return called<PyCache>(self, [&](PyCache& cache) { return cache.get(arguments[0], count == 2 ? arguments[1] : Py_None).release().ptr(); });
}

template <typename Number>
std::optional<Number> given(PyObject* value) {
  return value == nullptr ? std::nullopt : py::cast<std::optional<Number>>(py::handle(value));
}

PyObject* set(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  static constexpr std::array<const char*, 5> kNames = {"key", "value", "ttl_s", "size", "only_new"};
  std::array<PyObject*, 5> all{};
  if (count > 2) {
    PyErr_Format(PyExc_TypeError, "set takes a key and a value, and %s only by name", kNames[2]);
    return nullptr;
  }
  std::copy(arguments, arguments + count, all.begin());
  const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  for (Py_ssize_t i = 0; i < named; ++i) {
    PyObject* const name = PyTuple_GET_ITEM(names, i);
    std::size_t at = 0;
    while (at < kNames.size() && PyUnicode_CompareWithASCIIString(name, kNames[at]) != 0) ++at;
    if (at == kNames.size() || all[at] != nullptr) {
      PyErr_Format(PyExc_TypeError, "set got the argument %R twice, or does not know it", name);
      return nullptr;
    }
    all[at] = arguments[count + i];
  }
  if (all[0] == nullptr || all[1] == nullptr) {
    PyErr_SetString(PyExc_TypeError, "set takes a key and a value");
    return nullptr;
  }
  return called<PyCache>(self, [&](PyCache& cache) {
    const bool only_new = all[4] != nullptr && py::cast<bool>(py::handle(all[4]));
    return PyBool_FromLong(cache.set(all[0], py::reinterpret_borrow<py::object>(all[1]), given<double>(all[2]), given<std::size_t>(all[3]), only_new) ? 1 : 0);
  });
}

PyMethodDef kSet = {"set", plain(set), METH_FASTCALL | METH_KEYWORDS,
                    "set(self: mastra._core.CacheStore, key: str, value: typing.Any, *, ttl_s: typing.SupportsFloat | None = None, "
                    "size: typing.SupportsInt | None = None, only_new: bool = False) -> bool\n\n"
                    "Keeps the value, for at most `ttl_s` seconds. `size` is its weight in bytes where `max_bytes` counts; bytes\n"
                    "and str weigh themselves. False when it is larger than the room, or there with `only_new`."};

PyMethodDef kGet = {"get", plain(get), METH_FASTCALL,
                    "get(self: mastra._core.CacheStore, key: str, default: typing.Any = None) -> typing.Any\n\n"
                    "The value, or `default` when there is none or it is too old."};

}  // namespace

void bind_cache(py::module_& module) {
  py::class_<PyCache> store(module, "CacheStore",
                            "Objects by key, at most `max_entries` and `max_bytes` of them (0: no limit), forgotten\n"
                            "when they are too old or others are asked for more. For any thread. Each of the\n"
                            "`shards` has its part of the room; more than one only helps without a GIL.");
  store
      .def(py::init<std::size_t, std::size_t, std::size_t, std::optional<Clock>>(), py::kw_only(),
           py::arg("max_entries") = 10'000, py::arg("max_bytes") = 0, py::arg("shards") = 1, py::arg("clock") = py::none())
      .def("delete", &PyCache::erase, py::arg("key"), "Forgets the value; whether there was one.")
      .def("clear", &PyCache::clear, "Forgets everything.")
      .def("purge", &PyCache::purge, "Forgets what is too old; returns how many. Reading never returns them anyway.")
      .def("stats", &PyCache::stats, "hits, misses, sets, evictions, expirations, entries, bytes.")
      .def("__len__", &PyCache::size);
  for (PyMethodDef* method : {&kGet, &kSet}) add_method(store, *method);
}

}  // namespace mastra::bindings
