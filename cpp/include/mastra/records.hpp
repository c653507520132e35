// Text records between delimiters: newline-delimited JSON and the 0x1E framing of workflow streams.
//
// Purpose: cuts a byte stream into records at one delimiter byte, independent of how the bytes are cut
// into chunks. White space of JSON around a record is removed and empty records are skipped, so the
// same parser reads RFC 7464 sequences, whose records end with LF.
// Ownership: the parser owns the unfinished record, in a pooled buffer that it holds only while there is one; views are valid during the call of the sink only.
// Thread safety: one parser belongs to one stream; no two calls at a time.
// Errors: a record that is not UTF-8 (kInvalidEncoding) or over the limit (kLimit) ends the stream.
// Records before it have reached the sink by then; each later call throws the same error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mastra/buffer.hpp"
#include "mastra/parser_state.hpp"

namespace mastra {

class RecordSink {
 public:
  virtual void on_record(std::string_view record, bool ascii) = 0;

 protected:
  ~RecordSink() = default;
};

class RecordParser {
 public:
  explicit RecordParser(char delimiter, std::size_t max_record = std::size_t{64} << 20)
      : delimiter_(delimiter), max_record_(max_record) {}

  // REQUIRES: not called from inside the sink.
  void feed(std::string_view chunk, RecordSink& sink);

  // The end of the stream: what follows the last delimiter is a record too.
  void close(RecordSink& sink);

  [[nodiscard]] bool incomplete() const noexcept { return !carry_.empty(); }

 private:
  void record(std::string_view text, RecordSink& sink);

  char delimiter_;
  std::size_t max_record_;
  Buffer carry_;
  std::uint64_t number_ = 0;
  ParserState state_{"this record stream"};
};

}  // namespace mastra
