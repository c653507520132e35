#include "mastra/parser_state.hpp"

#include <stdexcept>

#include "check.hpp"

using mastra::Error;
using mastra::ErrorCode;
using mastra::ParserState;

TEST(the_first_error_comes_again_and_the_end_too) {
  ParserState state("this stream");
  int calls = 0;
  state.run([&] { ++calls; });
  CHECK_THROWS(ErrorCode::kLimit, state.run([] { throw Error(ErrorCode::kLimit, "too long"); }));
  CHECK_THROWS(ErrorCode::kLimit, state.run([&] { ++calls; }));
  CHECK_THROWS(ErrorCode::kLimit, state.close());
  CHECK(calls == 1 && !state.closed());
}

TEST(a_receiver_that_fails_ends_the_stream) {
  ParserState state("this stream");
  bool passed_on = false;
  try {
    state.run([] { throw std::runtime_error("receiver"); });
  } catch (const std::runtime_error&) {
    passed_on = true;
  }
  CHECK(passed_on);
  CHECK_THROWS(ErrorCode::kInternal, state.run([] {}));
}

TEST(no_call_inside_a_call_and_none_after_the_end) {
  ParserState state("this stream");
  ParserState other("another stream");
  CHECK_THROWS(ErrorCode::kInvalidArgument, state.run([&] { state.run([] {}); }));
  other.close();
  other.close();
  CHECK(other.closed());
  CHECK_THROWS(ErrorCode::kClosed, other.run([] {}));
}

TEST_MAIN()
