#include "mastra/sse.hpp"

#include <string>
#include <vector>

#include "check.hpp"

using mastra::ErrorCode;
using mastra::SseEvent;
using mastra::SseParser;

namespace {

struct Collect final : mastra::SseSink {
  std::string all;
  void on_event(const SseEvent& event) override {
    all += std::string(event.event) + "|" + std::string(event.data) + "|" + std::string(event.id) + "|" +
           (event.retry ? std::to_string(*event.retry) : "-") + (event.ascii ? "\n" : "*\n");
  }
};

std::string read(const std::string& text, std::size_t step) {
  SseParser parser;
  Collect out;
  for (std::size_t at = 0; at < text.size(); at += step) parser.feed(std::string_view(text).substr(at, step), out);
  parser.close();
  return out.all;
}

}  // namespace

TEST(reads_the_same_events_at_every_chunk_size_and_line_end) {
  const std::string lf =
      "\xEF\xBB\xBF: hi\nevent: a\ndata: 1\ndata:  2\n\nid: \xC3\xA6\nretry: 15\ndata: \xE6\x9D\xB1\n\ndata\n\nretry: 1\n\n";
  const std::string expected = "a|1\n 2||-\nmessage|\xE6\x9D\xB1|\xC3\xA6|15*\nmessage||\xC3\xA6|-\n";
  std::string crlf;
  std::string cr;
  for (const char byte : lf) {
    crlf += byte == '\n' ? std::string("\r\n") : std::string(1, byte);
    cr += byte == '\n' ? '\r' : byte;
  }
  for (std::size_t step = 1; step <= crlf.size(); ++step) {
    CHECK(read(lf, step) == expected);
    CHECK(read(crlf, step) == expected);
    CHECK(read(cr, step) == expected);
  }
}

TEST(a_failed_parser_keeps_failing_with_the_same_error) {
  SseParser parser({.line = 8, .event = 100});
  Collect out;
  CHECK_THROWS(ErrorCode::kLimit, parser.feed("data: 1\n\ndata: 123\n\n", out));
  CHECK(out.all == "message|1||-\n");
  CHECK_THROWS(ErrorCode::kLimit, parser.feed("", out));
  CHECK_THROWS(ErrorCode::kLimit, parser.close());
}

TEST(a_closed_parser_takes_nothing) {
  SseParser parser;
  Collect out;
  parser.close();
  CHECK_THROWS(ErrorCode::kClosed, parser.feed("\n", out));
}

TEST(a_sink_may_not_feed_its_own_parser) {
  struct Reentrant final : mastra::SseSink {
    SseParser* parser = nullptr;
    void on_event(const SseEvent&) override { parser->feed("data: 2\n\n", *this); }
  };
  SseParser parser;
  Reentrant sink;
  sink.parser = &parser;
  CHECK_THROWS(ErrorCode::kInvalidArgument, parser.feed("data: 1\n\n", sink));
}

TEST(a_long_line_in_many_chunks_is_one_event) {
  SseParser parser;
  Collect out;
  parser.feed("data: ", out);
  for (int i = 0; i < 1000; ++i) parser.feed(std::string(100, 'x'), out);
  CHECK(parser.incomplete());
  parser.feed("\n\n", out);
  CHECK(out.all == "message|" + std::string(100000, 'x') + "||-\n");
  CHECK(!parser.incomplete());
}

TEST_MAIN()
