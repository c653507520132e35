#include "mastra/json_stream.hpp"

#include <string>

#include "check.hpp"

using mastra::ErrorCode;
using mastra::JsonLiteral;
using mastra::JsonStream;

namespace {

// Writes what the handler is told; pieces of a string are joined, provisional numbers are left out.
struct Write final : mastra::JsonHandler {
  std::string all;
  void on_begin(bool object) override { all += object ? "{" : "["; }
  void on_end() override { all += ")"; }
  void on_key(std::string_view key, bool) override { all.append(key).append(":"); }
  void on_string(std::string_view piece, bool, bool first, bool last) override {
    all.append(first ? "'" : "").append(piece).append(last ? "' " : "");
  }
  void on_number(std::string_view text, bool integer, bool, bool last) override {
    if (last) all.append(text).append(integer ? "i " : "f ");
  }
  void on_literal(JsonLiteral literal) override { all += std::to_string(static_cast<int>(literal)) + " "; }
};

std::string read(const std::string& text, std::size_t step) {
  JsonStream stream;
  Write out;
  for (std::size_t at = 0; at < text.size(); at += step) stream.feed(std::string_view(text).substr(at, step), out);
  stream.finish(out);
  return out.all;
}

ErrorCode refused(const std::string& text) {
  try {
    read(text, 1);
  } catch (const mastra::Error& error) {
    return error.code();
  }
  return ErrorCode::kInternal;
}

}  // namespace

TEST(tells_the_same_at_every_chunk_size) {
  const std::string text =
      " {\"a\":[1,-2.5e+3,0,\"x\\u00e6\\ud83d\\ude42y\\ud83dz\\n\"],\"\xC3\xA6\\t\":{},\"l\":[true,false,null,[]]}\n";
  const std::string expected =
      "{a:[1i -2.5e+3f 0i 'x\xC3\xA6\xF0\x9F\x99\x82y\xEF\xBF\xBDz\n' )\xC3\xA6\t:{)l:[2 1 0 [)))";
  for (std::size_t step = 1; step <= text.size(); ++step) CHECK(read(text, step) == expected);
}

TEST(refuses_what_is_not_json) {
  for (const char* text : {"", "[1,]", "{\"a\":1,}", "01", "1.", "--1", "tru", "\"\\x\"", "\"\n\"", "[}", "1 1", "]"}) {
    CHECK(refused(text) == ErrorCode::kInvalidArgument);
  }
  CHECK(refused("\"\xFF\"") == ErrorCode::kInvalidEncoding);
  CHECK(refused(std::string(201, '[')) == ErrorCode::kLimit);
  CHECK(refused(std::string(5000, '1')) == ErrorCode::kLimit);
}

TEST(a_number_shows_its_longest_valid_part) {
  struct Last final : mastra::JsonHandler {
    std::string number;
    void on_begin(bool) override {}
    void on_end() override {}
    void on_key(std::string_view, bool) override {}
    void on_string(std::string_view, bool, bool, bool) override {}
    void on_number(std::string_view text, bool, bool, bool) override { number = text; }
    void on_literal(JsonLiteral) override {}
  } last;
  JsonStream stream;
  const char* const shown[] = {"", "1", "1", "1.5", "1.5", "1.5", "1.5e-7"};
  const char* const fed[] = {"-", "1", ".", "5", "e", "-", "7"};
  for (std::size_t i = 0; i < 7; ++i) {
    stream.feed(fed[i], last);
    CHECK(last.number == (i == 0 ? "" : std::string("-") + shown[i]));
  }
}

TEST(size_is_limited_and_a_closed_stream_takes_nothing) {
  Write out;
  JsonStream small({.depth = 4, .bytes = 3});
  CHECK_THROWS(ErrorCode::kLimit, small.feed("[1,2", out));
  JsonStream stream;
  stream.feed("1", out);
  CHECK(!stream.complete());
  stream.finish(out);
  CHECK(stream.complete());
  CHECK_THROWS(ErrorCode::kClosed, stream.feed("1", out));
}

TEST_MAIN()
