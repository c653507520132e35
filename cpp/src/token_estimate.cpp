#include "mastra/token_estimate.hpp"

#include <cstdint>

#include "mastra/utf8.hpp"
#include "token_weights.hpp"

namespace mastra {
namespace {

// The places of the weights after the 27 x 27 letter pairs.
enum Place : std::size_t {
  kWord = 27 * 27, kCapital, kCamel, kAccented, kLong, kUnspaced, kHan, kHanRun, kKana, kHangul, kSlavic, kSlavicWord, kDigits,
  kScript, kLines, kSpaces, kTab, kMarks, kMark, kWideMark, kPicture, kOther, kManyMarks, kManyLines, kSpacedDigits, kPlaces
};
// The characters with a level of their own; kHan is for the others.
constexpr std::uint32_t kFirstHan = 0x4E00, kLastHan = 0x9FFF;
constexpr std::int64_t kHanStep = 51;
static_assert(sizeof kCl100kWeights / sizeof(short) == kPlaces && sizeof kO200kWeights / sizeof(short) == kPlaces);
static_assert(sizeof kCl100kHan == kLastHan - kFirstHan + 2 && sizeof kO200kHan == sizeof kCl100kHan);

enum class Kind : std::uint8_t { kLetter, kHan, kKana, kHangul, kSlavic, kDigit, kScript, kLine, kSpace, kMark, kOther };

constexpr std::int64_t kOne = 256;

bool in(std::uint32_t code, std::uint32_t first, std::uint32_t last) noexcept { return code >= first && code <= last; }

Kind kind_of(std::uint32_t code) noexcept {
  if (code < 0x80) {
    if (in(code | 0x20, 'a', 'z')) return Kind::kLetter;
    if (in(code, '0', '9')) return Kind::kDigit;
    if (code == '\n' || code == '\r') return Kind::kLine;
    if (code == ' ' || code == '\t' || code == '\v' || code == '\f') return Kind::kSpace;
    return in(code, '!', '~') ? Kind::kMark : Kind::kOther;
  }
  if (in(code, 0xC0, 0x24F)) return code == 0xD7 || code == 0xF7 ? Kind::kOther : Kind::kLetter;
  if (in(code, 0x1E00, 0x1EFF)) return Kind::kLetter;
  if (in(code, 0x370, 0x52F)) return Kind::kSlavic;
  if (in(code, 0x1100, 0x11FF) || in(code, 0xAC00, 0xD7A3)) return Kind::kHangul;
  if (in(code, 0x530, 0x1DFF)) return Kind::kScript;
  if (in(code, 0x3040, 0x30FF)) return Kind::kKana;
  if (in(code, 0x3400, 0x4DBF) || in(code, 0x4E00, 0x9FFF) || in(code, 0xF900, 0xFAFF) || in(code, 0x20000, 0x3FFFF)) return Kind::kHan;
  return Kind::kOther;
}

Place place_of_other(std::uint32_t code) noexcept {
  if (in(code, 0x3000, 0x303F) || in(code, 0xFF00, 0xFFEF) || in(code, 0x2010, 0x2027)) return kWideMark;
  return code >= 0x10000 ? kPicture : kOther;
}

class Estimate {
 public:
  Estimate(std::string_view text, const short* weights, const char* han) noexcept
      : at_(text.data()), end_(at_ + text.size()), weights_(weights), han_(han) {
    read();
  }

  std::int64_t total() noexcept {
    std::int64_t sum = 0;
    while (size_ > 0) {
      const bool after_space = before_ == ' ';
      switch (kind_of(code_)) {
        case Kind::kLetter: sum += word() + (after_space ? 0 : weight(kUnspaced)); break;
        case Kind::kHan: sum += han(); break;
        case Kind::kKana: sum += run(Kind::kKana) * weight(kKana); break;
        case Kind::kHangul: sum += run(Kind::kHangul) * weight(kHangul); break;
        case Kind::kSlavic: sum += run(Kind::kSlavic) * weight(kSlavic) + weight(kSlavicWord); break;
        case Kind::kScript: sum += run(Kind::kScript) * weight(kScript); break;
        case Kind::kDigit: sum += (run(Kind::kDigit) + 2) / 3 * weight(kDigits) + (after_space ? weight(kSpacedDigits) : 0); break;
        case Kind::kMark: {
          const std::int64_t size = run(Kind::kMark);
          sum += weight(kMarks) + (size - 1) * weight(kMark) + (size > 4 ? size - 4 : 0) * weight(kManyMarks);
          break;
        }
        case Kind::kLine:
        case Kind::kSpace: sum += space(); break;
        case Kind::kOther:
          sum += weight(place_of_other(code_));
          take();
          break;
      }
    }
    return sum;
  }

 private:
  [[nodiscard]] std::int64_t weight(std::size_t place) const noexcept { return weights_[place]; }

  // Decodes the character at at_ into code_ and size_; size_ 0 is the end.
  void read() noexcept {
    size_ = 0;
    if (at_ >= end_) return;
    const auto lead = static_cast<unsigned char>(*at_);
    size_ = 1;
    code_ = lead;
    if (lead < 0x80) return;
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (static_cast<std::size_t>(end_ - at_) < length || check_utf8({at_, length}) != Utf8::kValid) {
      code_ = 0xFFFD;
      return;
    }
    size_ = length;
    code_ = lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) code_ = code_ << 6 | (static_cast<unsigned char>(at_[i]) & 0x3FU);
  }
  void take() noexcept {
    before_ = code_;
    at_ += size_;
    read();
  }
  std::int64_t run(Kind kind) noexcept {
    std::int64_t size = 0;
    for (; size_ > 0 && kind_of(code_) == kind; take()) ++size;
    return size;
  }

  std::int64_t han() noexcept {
    std::int64_t sum = weight(kHanRun);
    for (; size_ > 0 && kind_of(code_) == Kind::kHan; take()) {
      sum += in(code_, kFirstHan, kLastHan) ? (han_[code_ - kFirstHan] - 'A') * kHanStep : weight(kHan);
    }
    return sum;
  }

  std::int64_t word() noexcept {
    std::int64_t size = 0;
    std::int64_t sum = 0;
    bool capitals = true;
    bool last_lower = false;
    std::size_t last = 27;
    for (; size_ > 0 && kind_of(code_) == Kind::kLetter; take()) {
      const bool lower = in(code_, 'a', 'z');
      const bool upper = in(code_, 'A', 'Z');
      const std::size_t place = code_ < 0x80 ? (code_ | 0x20) - 'a' : 26;
      if (place == 26) sum += weight(kAccented);
      if (last_lower && upper) sum += weight(kCamel);
      if (last != 27) sum += weight(last * 27 + place);
      capitals = capitals && upper;
      last = place;
      last_lower = lower;
      ++size;
    }
    if (capitals && size > 1) sum = size * weight(kCapital);
    return sum + weight(kWord) + (size > 10 ? size - 10 : 0) * weight(kLong);
  }

  // White space up to its last line end is one piece, what follows another.
  std::int64_t space() noexcept {
    std::int64_t size = 0;
    std::int64_t tail = 0;
    bool lines = false;
    bool tab = false;
    for (; size_ > 0; take()) {
      const Kind kind = kind_of(code_);
      if (kind == Kind::kLine) {
        lines = true;
        size += tail + 1;
        tail = 0;
        tab = false;
      } else if (kind == Kind::kSpace) {
        ++tail;
        tab = tab || code_ == '\t';
      } else {
        break;
      }
    }
    return (lines ? weight(kLines) + (size > 1 ? weight(kManyLines) : 0) : 0) + (tail > 1 ? weight(kSpaces) : 0) + (tab ? weight(kTab) : 0);
  }

  const char* at_;
  const char* end_;
  const short* weights_;
  const char* han_;
  std::uint32_t code_ = 0;
  std::uint32_t before_ = 0;
  std::size_t size_ = 0;
};

}  // namespace

std::size_t estimate_tokens(std::string_view text, TokenEncoding encoding) noexcept {
  if (text.empty()) return 0;
  const bool older = encoding == TokenEncoding::kCl100k;
  const std::int64_t total = Estimate(text, older ? kCl100kWeights : kO200kWeights, older ? kCl100kHan : kO200kHan).total();
  const std::int64_t tokens = (total + kOne / 2) / kOne;
  return tokens > 1 ? static_cast<std::size_t>(tokens) : 1;
}

}  // namespace mastra
