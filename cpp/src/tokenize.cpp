#include "mastra/tokenize.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "mastra/utf8.hpp"
#include "unicode_tables.hpp"

namespace mastra {
namespace {

enum Kind : std::uint8_t { kNone = 0, kWord = 1, kPiece = 2 };

constexpr std::uint32_t kBad = 0xFFFFFFFF;

Kind kind_of(std::uint32_t code) noexcept {
  const auto* span = std::upper_bound(std::begin(unicode::kSpans), std::end(unicode::kSpans), code,
                                      [](std::uint32_t value, const unicode::Span& each) { return value < each.first; });
  if (span == std::begin(unicode::kSpans)) return kNone;
  --span;
  return code <= span->last ? static_cast<Kind>(span->kind) : kNone;
}

std::uint32_t folded(std::uint32_t code) noexcept {
  const auto* fold = std::upper_bound(std::begin(unicode::kFolds), std::end(unicode::kFolds), code,
                                      [](std::uint32_t value, const unicode::Fold& each) { return value < each.first; });
  if (fold == std::begin(unicode::kFolds)) return code;
  --fold;
  if (code > fold->last || (code - fold->first) % fold->step != 0) return code;
  return static_cast<std::uint32_t>(static_cast<std::int64_t>(code) + fold->delta);
}

bool accent(std::uint32_t code) noexcept { return code >= 0x300 && code <= 0x36F; }

// Decodes one character and moves past it; kBad for a byte that belongs to none.
std::uint32_t next(const char*& at, const char* end) noexcept {
  const auto byte = [&](std::ptrdiff_t offset) { return static_cast<unsigned char>(at[offset]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0x80) return static_cast<std::uint32_t>(*at++);
  if (static_cast<std::size_t>(end - at) < length || check_utf8({at, length}) != Utf8::kValid) {
    ++at;
    return kBad;
  }
  std::uint32_t code = length == 2 ? lead & 0x1FU : length == 3 ? lead & 0x0FU : lead & 0x07U;
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (byte(static_cast<std::ptrdiff_t>(i)) & 0x3FU);
  at += length;
  return code;
}

class Words {
 public:
  explicit Words(WordSink& sink) : sink_(sink) {}

  void letter(std::uint32_t code) {
    end_pieces();
    if (size_ + 4 <= kMostWordBytes) size_ += encode_utf8(code, word_ + size_);
  }
  void ascii(char byte) {
    if (previous_ != 0) end_pieces();
    if (size_ < kMostWordBytes) word_[size_++] = byte;
  }
  void piece(std::uint32_t code) {
    end_word();
    if (previous_ != 0) pair(previous_, code);
    paired_ = previous_ != 0;
    previous_ = code;
  }
  void gap() {
    end_word();
    end_pieces();
  }

 private:
  void end_word() {
    if (size_ > 0) sink_.on_word({word_, size_});
    size_ = 0;
  }
  void end_pieces() {
    if (previous_ != 0 && !paired_) pair(previous_, 0);
    previous_ = 0;
    paired_ = false;
  }
  void pair(std::uint32_t first, std::uint32_t second) {
    char bytes[8];
    std::size_t size = encode_utf8(first, bytes);
    if (second != 0) size += encode_utf8(second, bytes + size);
    sink_.on_word({bytes, size});
  }

  WordSink& sink_;
  char word_[kMostWordBytes];
  std::size_t size_ = 0;
  std::uint32_t previous_ = 0;  // the last piece
  bool paired_ = false;         // it is the second of a pair
};

}  // namespace

void tokenize(std::string_view text, WordSink& sink) {
  Words words(sink);
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    const char byte = *at;
    if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9')) {
      words.ascii(byte);
      ++at;
      continue;
    }
    if (byte >= 'A' && byte <= 'Z') {
      words.ascii(static_cast<char>(byte + 32));
      ++at;
      continue;
    }
    const std::uint32_t code = next(at, end);
    if (code < 0x80 || code == kBad) {
      words.gap();
    } else if (code == 0xDF || code == 0x1E9E) {  // the sharp s is two
      words.letter('s');
      words.letter('s');
    } else if (!accent(code)) {
      const Kind kind = kind_of(code);
      if (kind == kNone) {
        words.gap();
      } else if (kind == kPiece) {
        words.piece(folded(code));
      } else {
        words.letter(folded(code));
      }
    }
  }
  words.gap();
}

std::vector<std::string> words_of(std::string_view text) {
  struct Collect final : WordSink {
    std::vector<std::string> words;
    void on_word(std::string_view word) override { words.emplace_back(word); }
  } collect;
  tokenize(text, collect);
  return std::move(collect.words);
}

}  // namespace mastra
