// Server-sent events, parsed as the bytes arrive.
//
// Purpose: the WHATWG event-stream format (LF, CR and CRLF lines, byte-order mark, comments, multi-line
// data, event, id, retry), independent of how the bytes are cut into chunks.
// Ownership: the parser owns the unfinished line and event, in pooled buffers that it holds only while there is one. The views of an SseEvent point into the
// chunk or the parser and are valid during the call of the sink only.
// Thread safety: one parser belongs to one stream; no two calls at a time.
// Errors: a line that is not UTF-8 (kInvalidEncoding) and a line or event over its limit (kLimit) end the
// stream. Events before the bad line have reached the sink by then; each later call throws the same error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mastra/buffer.hpp"
#include "mastra/parser_state.hpp"

namespace mastra {

struct SseLimits {
  std::size_t line = std::size_t{16} << 20;   // bytes of one line without its end
  std::size_t event = std::size_t{64} << 20;  // bytes of the data of one event
};

struct SseEvent {
  std::string_view event;            // "message" when the stream names none
  std::string_view data;             // lines joined by LF
  std::string_view id;               // the last id of the stream so far
  std::optional<std::int64_t> retry;  // milliseconds, when this event said so
  bool ascii = false;                // data has no byte above 0x7F
};

class SseSink {
 public:
  virtual void on_event(const SseEvent& event) = 0;

 protected:
  ~SseSink() = default;
};

class SseParser {
 public:
  explicit SseParser(SseLimits limits = {}) : limits_(limits) {}

  // REQUIRES: not called from inside the sink.
  void feed(std::string_view chunk, SseSink& sink);

  // The end of the stream. An event without its closing empty line is dropped, as the format demands.
  void close() { state_.close(); }

  // Something came after the last event that was handed out: the stream was cut.
  [[nodiscard]] bool incomplete() const noexcept { return !carry_.empty() || data_lines_ > 0; }
  [[nodiscard]] const std::string& last_event_id() const noexcept { return id_; }
  [[nodiscard]] std::optional<std::int64_t> retry() const noexcept { return last_retry_; }

 private:
  // What is known of the bytes of a line.
  struct Known {
    bool in_chunk;  // they lie in the caller's chunk
    bool ascii;
  };

  void parse(std::string_view chunk, SseSink& sink);
  void line(std::string_view text, Known known, SseSink& sink);
  void field(std::string_view name, std::string_view value, Known known);
  void dispatch(SseSink& sink);
  void keep_data();

  SseLimits limits_;
  Buffer carry_;                 // the unfinished line
  Buffer data_;                  // the data, unless data_in_chunk_ has it
  std::string_view data_in_chunk_;
  std::size_t data_lines_ = 0;
  bool data_ascii_ = true;
  std::string event_;
  std::string id_;
  std::optional<std::int64_t> retry_;
  std::optional<std::int64_t> last_retry_;
  std::uint64_t line_number_ = 0;
  bool skip_lf_ = false;
  ParserState state_{"this event stream"};
};

}  // namespace mastra
