#include "mastra/tokenize.hpp"

#include <string>
#include <vector>

#include "check.hpp"

using mastra::words_of;
using Words = std::vector<std::string>;

TEST(words_are_folded_in_case_form_and_accent) {
  CHECK((words_of("Größe, GET_weather!") == Words{"grosse", "get", "weather"}));
  CHECK((words_of("Ａ１ caf\xC3\xA9") == Words{"a1", "cafe"}));
  CHECK(words_of(" \t.,!").empty());
  CHECK(words_of("").empty());
}

TEST(scripts_without_spaces_give_pairs) {
  CHECK((words_of("東京都") == Words{"東京", "京都"}));
  CHECK((words_of("a東b") == Words{"a", "東", "b"}));
}

TEST(wrong_bytes_separate_and_long_words_are_cut) {
  CHECK((words_of("a\xFF" "b") == Words{"a", "b"}));
  const Words found = words_of(std::string(1000, 'x'));
  CHECK(found.size() == 1 && found[0].size() <= mastra::kMostWordBytes);
}

TEST_MAIN()
