// Any bytes, cut anywhere: no crash, and the same values as in one piece.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mastra/json_stream.hpp"

namespace {

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
  void on_literal(mastra::JsonLiteral literal) override { all += std::to_string(static_cast<int>(literal)); }
};

// Empty when the text is refused; where and when it is refused depends on the chunks.
std::string read(std::string_view text, std::size_t step) {
  mastra::JsonStream stream({.depth = 8, .bytes = 1000});
  Write out;
  try {
    for (std::size_t at = 0; at < text.size(); at += step) stream.feed(text.substr(at, step), out);
    stream.finish(out);
  } catch (const mastra::Error&) {
    return "";
  }
  return out.all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = data[0] % 7 + 1;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (read(text, text.size()) != read(text, step)) std::abort();
  return 0;
}
