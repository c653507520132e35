#include "mastra/token_estimate.hpp"

#include <string>

#include "check.hpp"

using mastra::estimate_tokens;
using mastra::TokenEncoding;

TEST(nothing_is_nothing_and_more_is_more) {
  CHECK(estimate_tokens("", TokenEncoding::kCl100k) == 0);
  CHECK(estimate_tokens("a", TokenEncoding::kO200k) == 1);
  const std::string sentence = "The harbour was quiet when the last ferry came in. ";
  std::string text;
  for (int i = 0; i < 100; ++i) text += sentence;
  const std::size_t tokens = estimate_tokens(text, TokenEncoding::kO200k);
  CHECK(tokens > 900 && tokens < 1300);
}

TEST(any_bytes_have_an_estimate) {
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes += static_cast<char>(i * 7919 >> 3);
  CHECK(estimate_tokens(bytes, TokenEncoding::kCl100k) > 0);
}

TEST_MAIN()
