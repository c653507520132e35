// Any bytes, cut anywhere: no crash, and the same events as in one piece.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mastra/sse.hpp"

namespace {

struct Collect final : mastra::SseSink {
  std::string all;
  void on_event(const mastra::SseEvent& event) override {
    all.append(event.event).append("|").append(event.data).append("|").append(event.id).append("\n");
    if (event.retry) all += std::to_string(*event.retry);
  }
};

std::string read(std::string_view text, std::size_t step) {
  mastra::SseParser parser({.line = 200, .event = 300});
  Collect out;
  try {
    for (std::size_t at = 0; at < text.size(); at += step) parser.feed(text.substr(at, step), out);
    parser.close();
  } catch (const mastra::Error&) {
    out.all += "!";
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
