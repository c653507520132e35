#include "mastra/records.hpp"

#include <string>

#include "check.hpp"

using mastra::ErrorCode;
using mastra::RecordParser;

namespace {

struct Collect final : mastra::RecordSink {
  std::string all;
  void on_record(std::string_view record, bool ascii) override { all += std::string(record) + (ascii ? ";" : "*;"); }
};

}  // namespace

TEST(cuts_at_the_delimiter_at_every_chunk_size) {
  const std::string text = "{\"a\":1}\r\n\n [2] \n\"\xC3\xA6\"\n3";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    RecordParser parser('\n');
    Collect out;
    for (std::size_t at = 0; at < text.size(); at += step) parser.feed(std::string_view(text).substr(at, step), out);
    CHECK(parser.incomplete());
    parser.close(out);
    parser.close(out);
    CHECK(out.all == "{\"a\":1};[2];\"\xC3\xA6\"*;3;");
  }
}

TEST(refuses_wrong_utf8_and_too_long_records) {
  Collect out;
  RecordParser encoding('\x1E');
  CHECK_THROWS(ErrorCode::kInvalidEncoding, encoding.feed("1\x1E\xFF\x1E", out));
  CHECK_THROWS(ErrorCode::kInvalidEncoding, encoding.close(out));
  RecordParser small('\n', 3);
  CHECK_THROWS(ErrorCode::kLimit, small.feed("1234", out));
  CHECK(out.all == "1;");
}

TEST_MAIN()
