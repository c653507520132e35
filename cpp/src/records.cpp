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

template <typename Work>
void RecordParser::guarded(Work work) {
  if (failure_) throw *failure_;
  if (closed_) throw Error(ErrorCode::kClosed, "this record stream was closed");
  if (busy_) throw Error(ErrorCode::kInvalidArgument, "a record parser takes one call at a time");
  busy_ = true;
  try {
    work();
  } catch (const Error& error) {
    failure_ = error;
    busy_ = false;
    throw;
  } catch (...) {
    failure_ = Error(ErrorCode::kInternal, "the receiver of an earlier record failed");
    busy_ = false;
    throw;
  }
  busy_ = false;
}

void RecordParser::feed(std::string_view chunk, RecordSink& sink) {
  guarded([&] {
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
        record(carry_, sink);
        carry_.clear();
      }
      chunk.remove_prefix(stop + 1);
    }
  });
}

void RecordParser::close(RecordSink& sink) {
  if (closed_ && !failure_) return;
  guarded([&] {
    record(carry_, sink);
    carry_.clear();
  });
  closed_ = true;
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
