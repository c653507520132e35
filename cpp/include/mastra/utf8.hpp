// Checks UTF-8 without decoding it.
//
// Purpose: every parser of the core takes bytes from a network and hands text to Python; whatever it
// hands on has passed here. Overlong forms, surrogates and code points above U+10FFFF are invalid.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mastra {

enum class Utf8 : std::uint8_t { kAscii, kValid, kInvalid };

// What the whole text is. Linear; a text of plain ASCII costs about a tenth of a nanosecond a byte.
Utf8 check_utf8(std::string_view text) noexcept;

// How many bytes at the start of `text` are ASCII.
std::size_t ascii_prefix(std::string_view text) noexcept;

// How many bytes at the end of `text` are the start of a character whose rest has not come yet (0..3).
// Says nothing about the bytes before them.
std::size_t incomplete_utf8_tail(std::string_view text) noexcept;

// Writes `code` (a scalar value) as UTF-8 into `out`, which has room for four bytes; returns how many.
std::size_t encode_utf8(std::uint32_t code, char* out) noexcept;

}  // namespace mastra
