// Words of a text, for search: folded, in any script.
//
// Purpose: one rule for indexing and asking. Letters, digits and marks make words; case, compatibility
// forms (full width) and the accents of Latin and Greek are folded away.
// Scripts without spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) give overlapping pairs
// of characters, a single one where it stands alone.
// Ownership: a word that is handed to the sink is valid during the call only.
// Thread safety: pure functions. Linear in the text.
// REQUIRES: nothing of the text; what the sink throws passes through.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mastra {

// Longer words are cut: they are data, not language.
inline constexpr std::size_t kMostWordBytes = 256;

class WordSink {
 public:
  virtual void on_word(std::string_view word) = 0;

 protected:
  ~WordSink() = default;
};

// Hands each word to the sink in order. Bytes that are not UTF-8 separate words.
void tokenize(std::string_view text, WordSink& sink);

std::vector<std::string> words_of(std::string_view text);

}  // namespace mastra
