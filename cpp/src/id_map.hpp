// From ids to slots: open addressing over slots, the ids themselves stay in their column.
//
// Thread safety: find may run beside find; changes keep everybody out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mastra {

class IdMap {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  [[nodiscard]] std::uint32_t find(const std::uint64_t* ids, std::uint64_t id) const noexcept {
    if (size_ == 0) return kNone;
    for (std::size_t at = home(id);; at = after(at)) {
      if (table_[at] == kNone) return kNone;
      if (ids[table_[at]] == id) return table_[at];
    }
  }
  // Room for `count` ids without further allocation.
  void reserve(const std::uint64_t* ids, std::size_t count) {
    if (count * 5 <= table_.size() * 4) return;
    const std::size_t wanted = count + count / 3 + 16;
    std::vector<std::uint32_t> old(wanted, kNone);
    old.swap(table_);
    for (const std::uint32_t slot : old) {
      if (slot != kNone) place(ids, slot);
    }
  }
  // REQUIRES: reserved room; the id is not there.
  void insert(const std::uint64_t* ids, std::uint32_t slot) noexcept {
    place(ids, slot);
    ++size_;
  }
  void erase(const std::uint64_t* ids, std::uint64_t id) noexcept {
    std::size_t at = home(id);
    while (table_[at] == kNone || ids[table_[at]] != id) {
      if (table_[at] == kNone) return;
      at = after(at);
    }
    --size_;
    // Close the gap: what follows moves up unless it is at home already.
    std::size_t gap = at;
    for (std::size_t next = after(at); table_[next] != kNone; next = after(next)) {
      const std::size_t wants = home(ids[table_[next]]);
      const bool stays = gap <= next ? wants > gap && wants <= next : wants > gap || wants <= next;
      if (stays) continue;
      table_[gap] = table_[next];
      gap = next;
    }
    table_[gap] = kNone;
  }
  void clear() noexcept {
    table_ = {};
    size_ = 0;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return table_.size() * sizeof(std::uint32_t); }

 private:
  [[nodiscard]] std::size_t home(std::uint64_t id) const noexcept {
    std::uint64_t h = id * 0x9e3779b97f4a7c15ULL;
    h ^= h >> 32U;
    h *= 0xd6e8feb86659fd93ULL;
    return static_cast<std::size_t>((h >> 32U) * static_cast<std::uint64_t>(table_.size()) >> 32U);
  }
  [[nodiscard]] std::size_t after(std::size_t at) const noexcept { return at + 1 == table_.size() ? 0 : at + 1; }
  void place(const std::uint64_t* ids, std::uint32_t slot) noexcept {
    std::size_t at = home(ids[slot]);
    while (table_[at] != kNone) at = after(at);
    table_[at] = slot;
  }

  std::vector<std::uint32_t> table_;
  std::size_t size_ = 0;
};

}  // namespace mastra
