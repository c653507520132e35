#include "mastra/utf8.hpp"

#include <cstdint>
#include <string>

#include "check.hpp"

using mastra::check_utf8;
using mastra::Utf8;

TEST(every_scalar_value_is_valid_and_no_surrogate_is) {
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) {
    char bytes[4];
    const std::size_t size = mastra::encode_utf8(code, bytes);
    const Utf8 got = check_utf8({bytes, size});
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    if (got != (surrogate ? Utf8::kInvalid : code < 0x80 ? Utf8::kAscii : Utf8::kValid)) CHECK(false);
  }
}

TEST(wrong_bytes_are_found_at_every_offset) {
  for (const char* bad : {"\xC0\xAF", "\xE0\x80\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80", "\xE2\x82"}) {
    for (std::size_t before = 0; before < 70; ++before) {
      CHECK(check_utf8(std::string(before, 'a') + bad + "zz") == Utf8::kInvalid);
      CHECK(check_utf8(std::string(before, 'a') + bad) == Utf8::kInvalid);
    }
  }
}

TEST(the_ascii_bytes_at_the_start_are_counted_for_every_length_and_place) {
  for (std::size_t size = 0; size < 200; ++size) {
    std::string text(size, 'a');
    CHECK(mastra::ascii_prefix(text) == size);
    for (std::size_t at = 0; at < size; ++at) {
      text[at] = '\x80';
      CHECK(mastra::ascii_prefix(text) == at);
      text[at] = 'a';
    }
  }
}

TEST(an_unfinished_character_at_the_end_is_measured) {
  CHECK(mastra::incomplete_utf8_tail("") == 0);
  CHECK(mastra::incomplete_utf8_tail("abc") == 0);
  CHECK(mastra::incomplete_utf8_tail("a\xC3") == 1);
  CHECK(mastra::incomplete_utf8_tail("a\xC3\xA6") == 0);
  CHECK(mastra::incomplete_utf8_tail("a\xE2\x82") == 2);
  CHECK(mastra::incomplete_utf8_tail("\xF0\x9F\x99") == 3);
  CHECK(mastra::incomplete_utf8_tail("\xF0\x9F\x99\x82") == 0);
}

TEST_MAIN()
