// A fixed run of values that starts on a cache line.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

namespace mastra {

template <class T>
class Aligned {
 public:
  Aligned() = default;
  explicit Aligned(std::size_t n) { assign(n); }
  ~Aligned() { ::operator delete(data_, std::align_val_t{64}); }
  Aligned(Aligned&& other) noexcept { swap(other); }
  Aligned& operator=(Aligned&& other) noexcept {
    swap(other);
    return *this;
  }
  Aligned(const Aligned& other) : Aligned(other.size_) {
    if (size_ != 0) std::memcpy(data_, other.data_, size_ * sizeof(T));
  }
  Aligned& operator=(const Aligned& other) {
    Aligned copy(other);
    swap(copy);
    return *this;
  }

  // n zeroes; what was there is gone.
  void assign(std::size_t n) {
    Aligned fresh;
    fresh.data_ = static_cast<T*>(::operator new(n * sizeof(T) + 64, std::align_val_t{64}));
    std::memset(static_cast<void*>(fresh.data_), 0, n * sizeof(T) + 64);
    fresh.size_ = n;
    swap(fresh);
  }
  [[nodiscard]] T* data() noexcept { return data_; }
  [[nodiscard]] const T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  void swap(Aligned& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace mastra
