// Any bytes, cut anywhere: no crash, and the same records as in one piece.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mastra/records.hpp"

namespace {

struct Collect final : mastra::RecordSink {
  std::string all;
  void on_record(std::string_view record, bool ascii) override { all.append(record).append(ascii ? "\n" : "*\n"); }
};

std::string read(std::string_view text, std::size_t step) {
  mastra::RecordParser parser('\x1E', 100);
  Collect out;
  try {
    for (std::size_t at = 0; at < text.size(); at += step) parser.feed(text.substr(at, step), out);
    parser.close(out);
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
