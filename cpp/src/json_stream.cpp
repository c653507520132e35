#include "mastra/json_stream.hpp"

#include <cstring>

#include "mastra/utf8.hpp"

namespace mastra {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kLiterals[] = {"null", "false", "true"};

constexpr std::uint64_t repeat(unsigned char byte) noexcept { return 0x0101010101010101ULL * byte; }

// A bit in each byte that is zero; bytes above a found one may be marked too, which the caller tolerates.
constexpr std::uint64_t zero_bytes(std::uint64_t word) noexcept {
  return (word - repeat(1)) & ~word & repeat(0x80);
}

bool plain(char byte) noexcept {
  return static_cast<unsigned char>(byte) >= 0x20 && byte != '"' && byte != '\\';
}

// The first byte that ends a run of plain string bytes; `ascii` turns false on a byte above 0x7F.
const char* end_of_run(const char* at, const char* end, bool& ascii) noexcept {
  std::uint64_t high = 0;
  while (end - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    const std::uint64_t control = (word - repeat(0x20)) & ~word & repeat(0x80);
    if ((control | zero_bytes(word ^ repeat('"')) | zero_bytes(word ^ repeat('\\'))) != 0) break;
    high |= word;
    at += 8;
  }
  while (at < end && plain(*at)) high |= static_cast<unsigned char>(*at++);
  if ((high & repeat(0x80)) != 0) ascii = false;
  return at;
}

bool digit(char byte) noexcept { return byte >= '0' && byte <= '9'; }
bool of_number(char byte) noexcept {
  return digit(byte) || byte == '.' || byte == '-' || byte == '+' || byte == 'e' || byte == 'E';
}

struct Number {
  std::size_t valid = 0;  // the longest prefix that is a number
  std::size_t read = 0;   // the longest prefix that a number may begin with
  bool integer = true;    // of the valid prefix
};

Number scan_number(std::string_view text) noexcept {
  Number out;
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && digit(text[at])) ++at;
    return at > from;
  };
  if (at < text.size() && text[at] == '-') ++at;
  if (at < text.size() && text[at] == '0') {
    ++at;
  } else if (!digits()) {
    out.read = at;
    return out;
  }
  out.valid = out.read = at;
  if (at < text.size() && text[at] == '.') {
    ++at;
    const bool any = digits();
    out.read = at;
    if (!any) return out;
    out.valid = at;
    out.integer = false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const bool any = digits();
    out.read = at;
    if (!any) return out;
    out.valid = at;
    out.integer = false;
  }
  return out;
}

int hex_value(char byte) noexcept {
  if (digit(byte)) return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

char simple_escape(char byte) noexcept {
  switch (byte) {
    case '"': case '\\': case '/': return byte;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}

bool space(char byte) noexcept { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

std::string_view between(const char* from, const char* end) noexcept {
  return {from, static_cast<std::size_t>(end - from)};
}

}  // namespace

void JsonStream::feed(std::string_view chunk, JsonHandler& handler) {
  call_.run([&] {
    if (chunk.size() > limits_.bytes || before_ > limits_.bytes - chunk.size()) {
      throw Error(ErrorCode::kLimit, "the JSON text is larger than " + std::to_string(limits_.bytes) + " bytes");
    }
    begin_ = chunk.data();
    parse(chunk.data(), chunk.data() + chunk.size(), handler);
    before_ += chunk.size();
    show_unfinished(handler);
    if (state_ == State::kDone) scratch_.release();
  });
}

void JsonStream::finish(JsonHandler& handler) {
  call_.run([&] {
    static constexpr char kEnd[] = "";
    begin_ = kEnd;
    if (state_ == State::kInNumber && stack_.empty()) end_number(scratch_.view(), handler);
    if (state_ != State::kDone) fail(kEnd, "the text ends before the value does");
    scratch_.release();
  });
  call_.close();
}

void JsonStream::parse(const char* at, const char* end, JsonHandler& handler) {
  while (at < end) {
    switch (state_) {
      case State::kInString:
      case State::kInKey: at = string(at, end, handler); continue;
      case State::kInNumber: at = number(at, end, handler); continue;
      case State::kInLiteral: at = literal(at, end); continue;
      default: break;
    }
    if (space(*at)) {
      ++at;
      continue;
    }
    if (state_ == State::kValue || (state_ == State::kFirstValue && *at != ']')) {
      at = value(at, handler);
    } else {
      at = structure(at, handler);
    }
  }
}

const char* JsonStream::value(const char* at, JsonHandler& handler) {
  switch (*at) {
    case '{': open(true, at, handler); return at + 1;
    case '[': open(false, at, handler); return at + 1;
    case '"': start_string(false); return at + 1;
    case 'n':
    case 'f':
    case 't':
      literal_ = *at == 'n' ? JsonLiteral::kNull : *at == 'f' ? JsonLiteral::kFalse : JsonLiteral::kTrue;
      literal_at_ = 0;
      state_ = State::kInLiteral;
      handler.on_literal(literal_);
      return at;
    default:
      if (!digit(*at) && *at != '-') fail(at, "expected a value");
      scratch_.clear();
      number_shown_ = false;
      state_ = State::kInNumber;
      return at;
  }
}

const char* JsonStream::structure(const char* at, JsonHandler& handler) {
  switch (state_) {
    case State::kFirstKey:
      if (*at == '}') break;
      [[fallthrough]];
    case State::kKey:
      if (*at != '"') fail(at, "expected a key in double quotes");
      start_string(true);
      return at + 1;
    case State::kColon:
      if (*at != ':') fail(at, "expected ':'");
      state_ = State::kValue;
      return at + 1;
    case State::kNext:
      if (*at != ',') break;
      state_ = stack_.back() ? State::kKey : State::kValue;
      return at + 1;
    case State::kDone: fail(at, "expected nothing after the value");
    default: break;
  }
  close(at, handler);
  return at + 1;
}

void JsonStream::open(bool object, const char* at, JsonHandler& handler) {
  if (stack_.size() >= limits_.depth) {
    throw Error(ErrorCode::kLimit, "the JSON text is nested deeper than " + std::to_string(limits_.depth) + " at byte " +
                                       std::to_string(before_ + static_cast<std::uint64_t>(at - begin_)));
  }
  stack_.push_back(object);
  state_ = object ? State::kFirstKey : State::kFirstValue;
  handler.on_begin(object);
}

void JsonStream::close(const char* at, JsonHandler& handler) {
  const bool object = stack_.back();
  if (*at != (object ? '}' : ']')) fail(at, object ? "expected ',' or '}'" : "expected ',' or ']'");
  stack_.pop_back();
  after_value();
  handler.on_end();
}

void JsonStream::start_string(bool key) noexcept {
  state_ = key ? State::kInKey : State::kInString;
  escape_ = Escape::kNone;
  high_ = 0;
  scratch_.clear();
  scratch_ascii_ = true;
  string_shown_ = false;
}

// Reads on inside a string. A run that ends with its quote in this chunk is handed on without a copy.
const char* JsonStream::string(const char* at, const char* end, JsonHandler& handler) {
  while (at < end) {
    if (escape_ != Escape::kNone) {
      at = escape(at);
      continue;
    }
    bool ascii = true;
    const char* stop = end_of_run(at, end, ascii);
    const std::string_view run = between(at, stop);
    if (high_ != 0 && (!run.empty() || (stop < end && *stop == '"'))) drop_lone_surrogate();
    if (stop < end && *stop == '"' && scratch_.empty()) {
      if (!ascii) check_encoding(run, at, ascii);
      end_string(run, ascii, handler);
      return stop + 1;
    }
    scratch_.append(run);
    scratch_ascii_ = scratch_ascii_ && ascii;
    if (stop == end) return end;
    if (*stop == '"') {
      bool whole_ascii = scratch_ascii_;
      if (!whole_ascii) check_encoding(scratch_.view(), stop, whole_ascii);
      end_string(scratch_.view(), whole_ascii, handler);
      return stop + 1;
    }
    if (*stop != '\\') fail(stop, "a control character in a string must be escaped");
    escape_ = Escape::kBackslash;
    at = stop + 1;
  }
  return at;
}

const char* JsonStream::escape(const char* at) {
  if (escape_ == Escape::kBackslash) {
    if (*at == 'u') {
      escape_ = Escape::kHex;
      hex_ = 0;
      hex_digits_ = 0;
      return at + 1;
    }
    const char plain_byte = simple_escape(*at);
    if (plain_byte == 0) fail(at, "an unknown escape in a string");
    if (high_ != 0) drop_lone_surrogate();
    scratch_.append(plain_byte);
    escape_ = Escape::kNone;
    return at + 1;
  }
  const int digit_value = hex_value(*at);
  if (digit_value < 0) fail(at, "expected four hexadecimal digits");
  hex_ = hex_ * 16 + static_cast<std::uint32_t>(digit_value);
  if (++hex_digits_ < 4) return at + 1;
  escape_ = Escape::kNone;
  const bool low = hex_ >= 0xDC00 && hex_ < 0xE000;
  std::uint32_t code = hex_;
  if (high_ != 0 && low) {
    code = 0x10000 + ((high_ - 0xD800) << 10) + (hex_ - 0xDC00);
    high_ = 0;
  } else {
    if (high_ != 0) drop_lone_surrogate();
    if (hex_ >= 0xD800 && hex_ < 0xDC00) {
      high_ = hex_;
      return at + 1;
    }
    if (low) code = 0xFFFD;
  }
  char bytes[4];
  scratch_.append({bytes, encode_utf8(code, bytes)});
  if (code >= 0x80) scratch_ascii_ = false;
  return at + 1;
}

void JsonStream::drop_lone_surrogate() {
  scratch_.append(kReplacement);
  scratch_ascii_ = false;
  high_ = 0;
}

void JsonStream::end_string(std::string_view text, bool ascii, JsonHandler& handler) {
  if (state_ == State::kInKey) {
    state_ = State::kColon;
    handler.on_key(text, ascii);
  } else {
    after_value();
    handler.on_string(text, ascii, !string_shown_, true);
  }
}

const char* JsonStream::number(const char* at, const char* end, JsonHandler& handler) {
  const char* stop = at;
  while (stop < end && of_number(*stop)) ++stop;
  if (scratch_.size() + static_cast<std::size_t>(stop - at) > kMostNumberBytes) {
    throw Error(ErrorCode::kLimit, "a number is longer than " + std::to_string(kMostNumberBytes) + " bytes");
  }
  if (stop == end) {
    scratch_.append(between(at, stop));
    return end;
  }
  if (scratch_.empty()) {
    end_number(between(at, stop), handler);
  } else {
    scratch_.append(between(at, stop));
    end_number(scratch_.view(), handler);
  }
  return stop;
}

void JsonStream::end_number(std::string_view text, JsonHandler& handler) {
  const Number scanned = scan_number(text);
  if (scanned.valid != text.size()) {
    throw Error(ErrorCode::kInvalidArgument, "invalid JSON near byte " + std::to_string(before_) + ": '" +
                                                 std::string(text.substr(0, 40)) + "' is not a number");
  }
  after_value();
  handler.on_number(text, scanned.integer, !number_shown_, true);
}

const char* JsonStream::literal(const char* at, const char* end) {
  const std::string_view word = kLiterals[static_cast<std::size_t>(literal_)];
  while (at < end && literal_at_ < word.size()) {
    if (*at != word[literal_at_]) fail(at, "expected null, true or false");
    ++literal_at_;
    ++at;
  }
  if (literal_at_ == word.size()) after_value();
  return at;
}

// At the end of a chunk: the part of a string or number that has come is handed on.
void JsonStream::show_unfinished(JsonHandler& handler) {
  if (state_ == State::kInString) {
    const std::size_t tail = scratch_ascii_ ? 0 : incomplete_utf8_tail(scratch_.view());
    const std::string_view piece = scratch_.view().substr(0, scratch_.size() - tail);
    bool ascii = scratch_ascii_;
    if (!ascii) check_encoding(piece, begin_, ascii);
    if (!piece.empty() || !string_shown_) handler.on_string(piece, ascii, !string_shown_, false);
    string_shown_ = true;
    scratch_.remove_prefix(piece.size());
    scratch_ascii_ = tail == 0;
  } else if (state_ == State::kInNumber) {
    const Number scanned = scan_number(scratch_.view());
    if (scanned.read != scratch_.size()) fail(begin_, "not a number");
    if (scanned.valid > 0) {
      handler.on_number(scratch_.view().substr(0, scanned.valid), scanned.integer, !number_shown_, false);
      number_shown_ = true;
    }
  }
}

void JsonStream::check_encoding(std::string_view text, const char* at, bool& ascii) const {
  const Utf8 encoding = check_utf8(text);
  if (encoding == Utf8::kInvalid) {
    throw Error(ErrorCode::kInvalidEncoding, "a string of the JSON text is not UTF-8, near byte " +
                                                 std::to_string(before_ + static_cast<std::uint64_t>(at - begin_)));
  }
  ascii = encoding == Utf8::kAscii;
}

void JsonStream::fail(const char* at, const char* expected) const {
  throw Error(ErrorCode::kInvalidArgument, "invalid JSON at byte " +
                                               std::to_string(before_ + static_cast<std::uint64_t>(at - begin_)) + ": " + expected);
}

}  // namespace mastra
