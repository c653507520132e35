#include "mastra/records.hpp"

#include <cstring>

#include "mastra/utf8.hpp"

namespace mastra {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

void RecordParser::feed(std::string_view chunk, RecordSink& sink) {
  state_.run([&] {
    while (!chunk.empty()) {
      const std::size_t stop = chunk.find(delimiter_);
      const std::string_view piece = chunk.substr(0, stop);
      if (carry_.size() + piece.size() > max_record_) {
        throw Error(ErrorCode::kLimit, "record " + std::to_string(number_ + 1) + " is larger than " +
                                           std::to_string(max_record_) + " bytes");
      }
      if (stop == std::string_view::npos) {
        carry_.append(piece);
        return;
      }
      if (carry_.empty()) {
        record(piece, sink);
      } else {
        carry_.append(piece);
        record(carry_.view(), sink);
        carry_.clear();
      }
      chunk.remove_prefix(stop + 1);
    }
    if (carry_.empty()) carry_.release();
  });
}

void RecordParser::close(RecordSink& sink) {
  if (state_.closed()) return;
  state_.run([&] {
    record(carry_.view(), sink);
    carry_.release();
  });
  state_.close();
}

void RecordParser::record(std::string_view text, RecordSink& sink) {
  text = trimmed(text);
  if (text.empty()) return;
  ++number_;
  const Utf8 encoding = check_utf8(text);
  if (encoding == Utf8::kInvalid) {
    throw Error(ErrorCode::kInvalidEncoding, "record " + std::to_string(number_) + " is not UTF-8");
  }
  sink.on_record(text, encoding == Utf8::kAscii);
}

}  // namespace mastra
