// JSON, parsed as the bytes arrive, in time proportional to the bytes.
//
// Purpose: streamed structured output and tool arguments. The parser holds the grammar and its place in
// it; the handler builds the value. After each feed the handler has seen everything that the text so far
// says, the beginning of an unfinished string or number included.
// Defined where RFC 8259 leaves it open: a \u escape that is a lone surrogate becomes U+FFFD; duplicate
// keys reach the handler in order (the Python face keeps the last); numbers are handed on as text and
// longer than kMostNumberBytes are refused; NaN, infinities, comments, trailing commas and a byte-order
// mark are errors.
// Ownership: the parser owns unfinished tokens, in a pooled buffer until the value is complete; views are valid during the handler's call only.
// Thread safety: one parser belongs to one text; no two calls at a time.
// Errors: kInvalidArgument (not JSON), kInvalidEncoding (not UTF-8), kLimit (depth, size, number). What
// came before has reached the handler; each later call throws the same error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mastra/buffer.hpp"
#include "mastra/parser_state.hpp"

namespace mastra {

enum class JsonLiteral : std::uint8_t { kNull, kFalse, kTrue };

class JsonHandler {
 public:
  virtual void on_begin(bool object) = 0;
  virtual void on_end() = 0;
  virtual void on_key(std::string_view key, bool ascii) = 0;
  // A piece of a string value: `first` starts it, `last` ends it; between them come feeds.
  virtual void on_string(std::string_view piece, bool ascii, bool first, bool last) = 0;
  // A number in the grammar of JSON. Until `last` it is the part that has come, and the next call replaces it.
  virtual void on_number(std::string_view text, bool integer, bool first, bool last) = 0;
  // Called at the first letter: it leaves one possibility only.
  virtual void on_literal(JsonLiteral literal) = 0;

 protected:
  ~JsonHandler() = default;
};

struct JsonLimits {
  std::size_t depth = 200;
  std::size_t bytes = std::size_t{64} << 20;
};

class JsonStream {
 public:
  static constexpr std::size_t kMostNumberBytes = 4300;

  explicit JsonStream(JsonLimits limits = {}) : limits_(limits) {}

  // REQUIRES: not called from inside the handler.
  void feed(std::string_view chunk, JsonHandler& handler);

  // The end of the text: throws kInvalidArgument when the value is not complete.
  void finish(JsonHandler& handler);

  // A whole value has been read. A number at the top is complete only after finish.
  [[nodiscard]] bool complete() const noexcept { return state_ == State::kDone; }

 private:
  enum class State : std::uint8_t {
    kValue, kFirstValue, kFirstKey, kKey, kColon, kNext, kInString, kInKey, kInNumber, kInLiteral, kDone
  };
  enum class Escape : std::uint8_t { kNone, kBackslash, kHex };

  void parse(const char* at, const char* end, JsonHandler& handler);
  const char* value(const char* at, JsonHandler& handler);
  const char* structure(const char* at, JsonHandler& handler);
  const char* string(const char* at, const char* end, JsonHandler& handler);
  const char* escape(const char* at);
  const char* number(const char* at, const char* end, JsonHandler& handler);
  const char* literal(const char* at, const char* end);
  void start_string(bool key) noexcept;
  void end_string(std::string_view text, bool ascii, JsonHandler& handler);
  void end_number(std::string_view text, JsonHandler& handler);
  void show_unfinished(JsonHandler& handler);
  void open(bool object, const char* at, JsonHandler& handler);
  void close(const char* at, JsonHandler& handler);
  void after_value() noexcept { state_ = stack_.empty() ? State::kDone : State::kNext; }
  void drop_lone_surrogate();
  [[noreturn]] void fail(const char* at, const char* expected) const;
  void check_encoding(std::string_view text, const char* at, bool& ascii) const;

  JsonLimits limits_;
  State state_ = State::kValue;
  Escape escape_ = Escape::kNone;
  std::uint8_t hex_digits_ = 0;
  std::uint32_t hex_ = 0;
  std::uint32_t high_ = 0;       // a high surrogate that waits for its low one
  bool string_shown_ = false;    // the handler has the first piece
  bool number_shown_ = false;
  bool scratch_ascii_ = true;
  JsonLiteral literal_ = JsonLiteral::kNull;
  std::uint8_t literal_at_ = 0;
  std::vector<bool> stack_;      // true: object
  Buffer scratch_;               // the unfinished key, number, or string piece
  const char* begin_ = nullptr;  // of the chunk, for positions
  std::uint64_t before_ = 0;     // bytes of earlier chunks
  ParserState call_{"this JSON text"};
};

}  // namespace mastra
