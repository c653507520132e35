// Atomic access to plain memory (a column may be a view of a file) and prefetching, on every compiler.
#pragma once

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>

#include <atomic>
#endif

namespace mastra {

#if defined(_MSC_VER) && !defined(__clang__)

template <class T>
T load_acquire(const T* at) noexcept {
  return std::atomic_ref<T>(*const_cast<T*>(at)).load(std::memory_order_acquire);
}
template <class T>
T load_relaxed(const T* at) noexcept {
  return std::atomic_ref<T>(*const_cast<T*>(at)).load(std::memory_order_relaxed);
}
template <class T>
void store_release(T* at, T value) noexcept {
  std::atomic_ref<T>(*at).store(value, std::memory_order_release);
}
template <class T>
void set_bits(T* at, T bits) noexcept {
  std::atomic_ref<T>(*at).fetch_or(bits, std::memory_order_release);
}
template <class T>
void clear_bits(T* at, T bits) noexcept {
  std::atomic_ref<T>(*at).fetch_and(static_cast<T>(~bits), std::memory_order_release);
}
inline void prefetch(const void* at) noexcept {
#if defined(_M_ARM64)
  __prefetch(at);
#else
  _mm_prefetch(static_cast<const char*>(at), _MM_HINT_T0);
#endif
}

#else  // not std::atomic_ref: the libc++ of older systems has none

template <class T>
T load_acquire(const T* at) noexcept {
  return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}
template <class T>
T load_relaxed(const T* at) noexcept {
  return __atomic_load_n(at, __ATOMIC_RELAXED);
}
template <class T>
void store_release(T* at, T value) noexcept {
  __atomic_store_n(at, value, __ATOMIC_RELEASE);
}
template <class T>
void set_bits(T* at, T bits) noexcept {
  __atomic_fetch_or(at, bits, __ATOMIC_RELEASE);
}
template <class T>
void clear_bits(T* at, T bits) noexcept {
  __atomic_fetch_and(at, static_cast<T>(~bits), __ATOMIC_RELEASE);
}
inline void prefetch(const void* at) noexcept { __builtin_prefetch(at); }

#endif

}  // namespace mastra
