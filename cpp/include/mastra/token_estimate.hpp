// About how many tokens a text has, without a vocabulary.
//
// Purpose: budgets and trimming need a count, not the tokens. The text is cut as the encodings cut it; a
// Latin word's tokens are a sum over its letter pairs (each has a fitted chance to be split), other
// scripts, digits, marks and space have weights of their own. Within a few percent on prose and code.
// Ownership: the text is read during the call only.
// REQUIRES: nothing; any bytes have an estimate.
// Thread safety: a pure function. Linear in the text. Bytes that are not UTF-8 count as other characters.
#pragma once

#include <cstddef>
#include <string_view>

namespace mastra {

enum class TokenEncoding : unsigned char { kCl100k, kO200k };

std::size_t estimate_tokens(std::string_view text, TokenEncoding encoding) noexcept;

}  // namespace mastra
