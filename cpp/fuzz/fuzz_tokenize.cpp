// Any bytes: no crash, and every word is short and UTF-8.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mastra/tokenize.hpp"
#include "mastra/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto& word : mastra::words_of({reinterpret_cast<const char*>(data), size})) {
    if (word.empty() || word.size() > mastra::kMostWordBytes || mastra::check_utf8(word) == mastra::Utf8::kInvalid) std::abort();
  }
  return 0;
}
