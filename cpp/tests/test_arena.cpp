// Columns grow where they are, keep what is in them, and are counted.
#include "arena.hpp"

#include <cstdint>
#include <utility>

#include "check.hpp"
#include "mastra/memory.hpp"

using namespace mastra;

namespace {

TEST(a_large_column_grows_where_it_is_and_keeps_its_rows) {
  Arena arena(128);
  arena.grow(20000);
  const std::uint8_t* const at = arena.data();
  for (std::size_t i = 0; i < 20000; ++i) arena.row(i)[i % 128] = static_cast<std::uint8_t>(i | 1U);
#if defined(__linux__)
  for (std::size_t rows = 30000; rows < 1000000; rows += rows / 3) {
    arena.grow(rows);
    CHECK(arena.data() == at);
    CHECK(arena.capacity() >= rows);
    CHECK(arena.row(rows - 1)[127] == 0);
    arena.row(rows - 1)[126] = 1;
  }
#endif
  arena.grow(1000000);
  for (std::size_t i = 0; i < 20000; ++i) CHECK(arena.row(i)[i % 128] == static_cast<std::uint8_t>(i | 1U));
  CHECK(at != nullptr);
}

TEST(a_small_column_keeps_its_rows_when_it_moves) {
  Arena arena(8);
  for (std::size_t rows = 1; rows < 5000; ++rows) {
    arena.grow(rows);
    CHECK(arena.as<std::uint64_t>()[rows - 1] == 0);
    arena.as<std::uint64_t>()[rows - 1] = rows;
  }
  for (std::size_t i = 0; i + 1 < 5000; ++i) CHECK(arena.as<std::uint64_t>()[i] == i + 1);
}

TEST(a_borrowed_column_becomes_its_own_when_it_grows) {
  std::uint64_t rows[] = {7, 8, 9};
  Arena arena(8);
  arena.borrow(reinterpret_cast<std::uint8_t*>(rows), 3);
  CHECK(arena.row(1) == reinterpret_cast<std::uint8_t*>(rows + 1));
  arena.grow(4);
  arena.as<std::uint64_t>()[0] = 1;
  CHECK(rows[0] == 7 && arena.as<std::uint64_t>()[2] == 9);
  Arena other = std::move(arena);
  CHECK(other.as<std::uint64_t>()[0] == 1);
}

}  // namespace

TEST_MAIN()
