#include "mastra/utf8.hpp"

#include <cstring>

namespace mastra {
namespace {

using Byte = unsigned char;

constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;

bool ascii_word(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return (word & kHighBits) == 0;
}

bool continues(Byte byte) noexcept { return (byte & 0xC0) == 0x80; }

// The length of the valid character that starts at `at`, or 0.
std::size_t character(const Byte* at, std::size_t left) noexcept {
  const Byte lead = at[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return left >= 2 && continues(at[1]) ? 2 : 0;
  if (lead < 0xF0) {
    if (left < 3 || !continues(at[1]) || !continues(at[2])) return 0;
    if (lead == 0xE0 && at[1] < 0xA0) return 0;   // overlong
    if (lead == 0xED && at[1] >= 0xA0) return 0;  // a surrogate
    return 3;
  }
  if (lead > 0xF4 || left < 4 || !continues(at[1]) || !continues(at[2]) || !continues(at[3])) return 0;
  if (lead == 0xF0 && at[1] < 0x90) return 0;   // overlong
  if (lead == 0xF4 && at[1] >= 0x90) return 0;  // above U+10FFFF
  return 4;
}

}  // namespace

std::size_t ascii_prefix(std::string_view text) noexcept {
  const char* const bytes = text.data();
  const std::size_t size = text.size();
  std::size_t at = 0;
  for (; at + 64 <= size; at += 64) {
    std::uint64_t words[8];
    std::memcpy(words, bytes + at, sizeof words);
    std::uint64_t any = 0;
    for (const std::uint64_t word : words) any |= word;  // a loop that compilers turn into wide registers
    if ((any & kHighBits) != 0) break;
  }
  while (at + 8 <= size && ascii_word(bytes + at)) at += 8;
  // The last few as part of the last eight, of which the others are known.
  if (at + 8 > size && size >= 8 && ascii_word(bytes + size - 8)) return size;
  while (at < size && static_cast<Byte>(bytes[at]) < 0x80) ++at;
  return at;
}

Utf8 check_utf8(std::string_view text) noexcept {
  std::size_t at = ascii_prefix(text);
  if (at == text.size()) return Utf8::kAscii;
  while (at < text.size()) {
    const std::size_t length = character(reinterpret_cast<const Byte*>(text.data()) + at, text.size() - at);
    if (length == 0) return Utf8::kInvalid;
    at += length;
    if (length == 1) at += ascii_prefix(text.substr(at));
  }
  return Utf8::kValid;
}

std::size_t incomplete_utf8_tail(std::string_view text) noexcept {
  const std::size_t most = text.size() < 3 ? text.size() : 3;
  for (std::size_t back = 1; back <= most; ++back) {
    const auto byte = static_cast<Byte>(text[text.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;
    const std::size_t length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    return back < length ? back : 0;
  }
  return 0;
}

std::size_t encode_utf8(std::uint32_t code, char* out) noexcept {
  const auto tail = [code](unsigned shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = static_cast<char>(0xC0 | (code >> 6));
    out[1] = tail(0);
    return 2;
  }
  if (code < 0x10000) {
    out[0] = static_cast<char>(0xE0 | (code >> 12));
    out[1] = tail(6);
    out[2] = tail(0);
    return 3;
  }
  out[0] = static_cast<char>(0xF0 | (code >> 18));
  out[1] = tail(12);
  out[2] = tail(6);
  out[3] = tail(0);
  return 4;
}

}  // namespace mastra
