// A bounded pool of reusable objects without locks.
//
// Purpose: scratch memory of searches, buffers, anything that is dear to make and easy to wipe.
// How: objects live in slots of one array, made on first need. A free slot waits in the hot place of the
// thread that released it, or on a stack of slot numbers whose head carries a change counter (no ABA).
// A new object is made only when no free one is found anywhere, so the number of slots in use is the high-water mark.
// Ownership: the pool owns its objects. Each must be back, or never be touched again, before the pool
// is destroyed.
// Thread safety: every method may be called from any thread at any time, the destructor excepted.
// Errors: acquire throws kLimit when every object is out and kClosed after close; release throws
// kInvalidArgument for a foreign object and for one that is not out. What `make` throws passes through.
// REQUIRES: `reset` does not throw.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "mastra/error.hpp"
#include "mastra/memory.hpp"

namespace mastra {

struct PoolStats {
  std::uint64_t hits = 0;         // acquires that found an object
  std::uint64_t misses = 0;       // acquires that made one
  std::size_t outstanding = 0;    // objects that are out now
  std::size_t high_water = 0;     // the most that were out at once
  std::size_t capacity = 0;
};

// A small number for each thread, the same for its lifetime.
std::size_t thread_number() noexcept;

template <typename T>
class ObjectPool {
 public:
  using Make = std::function<T()>;
  using Reset = std::function<void(T&)>;

  explicit ObjectPool(std::size_t capacity, Make make, Reset reset = {})
      : capacity_(checked(capacity)),
        make_(std::move(make)),
        reset_(std::move(reset)),
        slots_(new Slot[capacity]),
        memory_(MemoryCategory::kPool, capacity * sizeof(Slot)) {}

  ~ObjectPool() {
    const std::size_t made = made_.load(std::memory_order_acquire);
    for (std::size_t at = 0; at < made; ++at) {
      if (slots_[at].state.load(std::memory_order_acquire) != kEmpty) slots_[at].object()->~T();
    }
  }
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;

  // An object that nobody else has; give it back with release.
  T* acquire() {
    T* const out = try_acquire();
    if (out == nullptr) {
      throw Error(ErrorCode::kLimit, "every object of the pool is out (capacity " + std::to_string(capacity_) + ")");
    }
    return out;
  }

  // The same; null when every object is out.
  T* try_acquire() {
    if (closed_.load(std::memory_order_acquire)) throw Error(ErrorCode::kClosed, "this pool was closed");
    std::uint32_t number = hot().exchange(0, std::memory_order_acquire);
    if (number == 0) number = pop();
    if (number == 0) number = steal();
    if (number == 0) number = fresh();
    return number == 0 ? nullptr : take(number);
  }

  // Wipes the object and makes it free. After close it is destroyed instead.
  void release(T* object) {
    Slot& slot = slots_[slot_of(object)];
    std::uint8_t expected = kOut;
    if (!slot.state.compare_exchange_strong(expected, kFree, std::memory_order_acq_rel)) {
      throw Error(ErrorCode::kInvalidArgument, "this object is not out: it was released before");
    }
    if (closed_.load(std::memory_order_acquire)) {
      destroy(slot);
      return;
    }
    if (reset_) reset_(*object);
    const auto number = static_cast<std::uint32_t>(&slot - slots_.get()) + 1;
    std::uint32_t empty = 0;
    if (!hot().compare_exchange_strong(empty, number, std::memory_order_release, std::memory_order_relaxed)) push(number);
  }

  // Destroys the free objects; the ones that are out are destroyed when they come back. Idempotent.
  void close() {
    closed_.store(true, std::memory_order_release);
    for (;;) {
      std::uint32_t number = pop();
      if (number == 0) number = steal();
      if (number == 0) return;
      destroy(slots_[number - 1]);
    }
  }

  // An object that is not the pool's.
  [[nodiscard]] T make() const { return make_(); }

  [[nodiscard]] PoolStats stats() const noexcept {
    PoolStats out;
    out.capacity = capacity_;
    out.misses = misses_.load(std::memory_order_relaxed);
    out.high_water = made_.load(std::memory_order_acquire);
    for (std::size_t at = 0; at < out.high_water; ++at) {
      out.hits += slots_[at].uses.load(std::memory_order_relaxed);
      if (slots_[at].state.load(std::memory_order_relaxed) == kOut) ++out.outstanding;
    }
    out.hits = out.hits > out.misses ? out.hits - out.misses : 0;
    return out;
  }

 private:
  static constexpr std::size_t kHotPlaces = 64;
  static constexpr std::size_t kLine = 64;  // bytes that two threads should not share
  static constexpr std::uint8_t kEmpty = 0;
  static constexpr std::uint8_t kFree = 1;
  static constexpr std::uint8_t kOut = 2;

  struct alignas(kLine) Slot {
    std::atomic<std::uint32_t> next{0};
    std::atomic<std::uint8_t> state{kEmpty};
    std::atomic<std::uint64_t> uses{0};  // written by the thread that has the slot only
    alignas(T) unsigned char bytes[sizeof(T)];
    T* object() noexcept { return std::launder(reinterpret_cast<T*>(bytes)); }
  };
  struct alignas(kLine) Hot {
    std::atomic<std::uint32_t> number{0};
  };

  static std::size_t checked(std::size_t capacity) {
    if (capacity == 0 || capacity >= std::size_t{1} << 31) {
      throw Error(ErrorCode::kInvalidArgument, "the capacity of a pool must lie in 1..2147483647");
    }
    return capacity;
  }

  std::atomic<std::uint32_t>& hot() noexcept { return hot_[thread_number() % kHotPlaces].number; }

  std::uint32_t pop() noexcept {
    std::uint64_t head = head_.load(std::memory_order_acquire);
    for (;;) {
      const auto number = static_cast<std::uint32_t>(head);
      if (number == 0) return 0;
      const std::uint64_t next = slots_[number - 1].next.load(std::memory_order_relaxed);
      const std::uint64_t changed = ((head >> 32) + 1) << 32 | next;
      if (head_.compare_exchange_weak(head, changed, std::memory_order_acq_rel, std::memory_order_acquire)) return number;
    }
  }

  void push(std::uint32_t number) noexcept {
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    for (;;) {
      slots_[number - 1].next.store(static_cast<std::uint32_t>(head), std::memory_order_relaxed);
      const std::uint64_t changed = ((head >> 32) + 1) << 32 | number;
      if (head_.compare_exchange_weak(head, changed, std::memory_order_release, std::memory_order_relaxed)) return;
    }
  }

  // Looks into every thread's hot place: dearer than one's own, cheaper than one object more.
  std::uint32_t steal() noexcept {
    for (Hot& place : hot_) {
      if (place.number.load(std::memory_order_relaxed) == 0) continue;
      const std::uint32_t number = place.number.exchange(0, std::memory_order_acquire);
      if (number != 0) return number;
    }
    return 0;
  }

  // A slot that was never used; 0 when there is none.
  std::uint32_t fresh() noexcept {
    std::size_t at = made_.load(std::memory_order_relaxed);
    do {
      if (at >= capacity_) return 0;
    } while (!made_.compare_exchange_weak(at, at + 1, std::memory_order_acq_rel));
    return static_cast<std::uint32_t>(at) + 1;
  }

  // REQUIRES: nobody else has this number.
  T* take(std::uint32_t number) {
    Slot& slot = slots_[number - 1];
    if (slot.state.load(std::memory_order_relaxed) == kEmpty) {
      try {
        ::new (static_cast<void*>(slot.bytes)) T(make_());
      } catch (...) {
        push(number);  // still empty: the next one who gets it tries again
        throw;
      }
      misses_.fetch_add(1, std::memory_order_relaxed);
    }
    slot.uses.store(slot.uses.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    slot.state.store(kOut, std::memory_order_release);
    return slot.object();
  }

  void destroy(Slot& slot) {
    if (slot.state.load(std::memory_order_acquire) == kEmpty) return;
    slot.object()->~T();
    slot.state.store(kEmpty, std::memory_order_release);
  }

  std::size_t slot_of(const T* object) const {
    const auto address = reinterpret_cast<std::uintptr_t>(object);
    const auto first = reinterpret_cast<std::uintptr_t>(slots_.get());
    const std::uintptr_t offset = address - first - offsetof(Slot, bytes);
    const std::size_t at = offset / sizeof(Slot);
    if (address < first || offset % sizeof(Slot) != 0 || at >= capacity_) {
      throw Error(ErrorCode::kInvalidArgument, "this object is not of this pool");
    }
    return at;
  }

  const std::size_t capacity_;
  const Make make_;
  const Reset reset_;
  const std::unique_ptr<Slot[]> slots_;
  const MemoryClaim memory_;
  alignas(kLine) std::atomic<std::uint64_t> head_{0};
  alignas(kLine) std::atomic<std::size_t> made_{0};
  std::atomic<std::uint64_t> misses_{0};
  std::atomic<bool> closed_{false};
  Hot hot_[kHotPlaces];
};

// An object of the pool, given back at the end of a scope; one of its own when every object is out.
template <typename T>
class PoolLease {
 public:
  explicit PoolLease(ObjectPool<T>& pool) : pool_(pool), object_(pool.try_acquire()) {
    if (object_ != nullptr) return;
    own_ = std::make_unique<T>(pool.make());
    object_ = own_.get();
  }
  ~PoolLease() {
    if (own_ == nullptr) pool_.release(object_);
  }
  PoolLease(const PoolLease&) = delete;
  PoolLease& operator=(const PoolLease&) = delete;
  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }

 private:
  ObjectPool<T>& pool_;
  T* object_;
  std::unique_ptr<T> own_;
};

}  // namespace mastra
