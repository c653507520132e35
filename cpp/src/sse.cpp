#include "mastra/sse.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "mastra/utf8.hpp"

namespace mastra {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kMostRetryDigits = 18;

const char* find(const char* from, const char* end, char what) noexcept {
  const void* hit = std::memchr(from, what, static_cast<std::size_t>(end - from));
  return hit == nullptr ? end : static_cast<const char*>(hit);
}

std::string_view between(const char* from, const char* end) noexcept {
  return {from, static_cast<std::size_t>(end - from)};
}

std::optional<std::int64_t> digits(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMostRetryDigits) return std::nullopt;
  std::int64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + (digit - '0');
  }
  return value;
}

[[noreturn]] void refuse_line(std::uint64_t number, std::size_t most) {
  throw Error(ErrorCode::kLimit,
              "line " + std::to_string(number) + " of the event stream is longer than " + std::to_string(most) + " bytes");
}

[[noreturn]] void refuse_encoding(std::uint64_t number) {
  throw Error(ErrorCode::kInvalidEncoding, "line " + std::to_string(number) + " of the event stream is not UTF-8");
}

[[noreturn]] void refuse_event(std::size_t most) {
  throw Error(ErrorCode::kLimit, "an event of the event stream is larger than " + std::to_string(most) + " bytes");
}

}  // namespace

// Moves data that still lies in the caller's chunk into the parser.
void SseParser::keep_data() {
  if (data_in_chunk_.data() == nullptr) return;
  data_.assign(data_in_chunk_);
  data_in_chunk_ = {};
}

inline void SseParser::dispatch(SseSink& sink) {
  if (data_lines_ > 0) {
    SseEvent event;
    event.event = event_.empty() ? std::string_view("message") : std::string_view(event_);
    event.data = data_in_chunk_.data() != nullptr ? data_in_chunk_ : data_.view();
    event.id = id_;
    event.retry = retry_;
    event.ascii = data_ascii_;
    sink.on_event(event);
  }
  data_.clear();
  data_in_chunk_ = {};
  data_lines_ = 0;
  event_.clear();
  retry_.reset();
}

inline void SseParser::field(std::string_view name, std::string_view value, Known known) {
  if (name == "data") {
    if (data_lines_ == 0) {
      if (known.in_chunk) {
        data_in_chunk_ = value;
      } else {
        data_.assign(value);
      }
      data_ascii_ = known.ascii;
    } else {
      keep_data();
      data_.append('\n');
      data_.append(value);
      data_ascii_ = data_ascii_ && known.ascii;
    }
    ++data_lines_;
    if (data_.size() > limits_.event || data_in_chunk_.size() > limits_.event) refuse_event(limits_.event);
  } else if (name == "event") {
    event_.assign(value);
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) id_.assign(value);
  } else if (name == "retry") {
    if (const auto milliseconds = digits(value)) retry_ = last_retry_ = milliseconds;
  }
}

inline void SseParser::line(std::string_view text, Known known, SseSink& sink) {
  ++line_number_;
  // With the byte-order mark, as a line is measured that is still coming.
  if (text.size() > limits_.line) refuse_line(line_number_, limits_.line);
  if (line_number_ == 1 && text.substr(0, 3) == kByteOrderMark) text.remove_prefix(3);
  if (text.empty()) {
    dispatch(sink);
    return;
  }
  const Utf8 encoding = known.ascii ? Utf8::kAscii : check_utf8(text);
  if (encoding == Utf8::kInvalid) refuse_encoding(line_number_);
  const std::size_t colon = text.starts_with("data:") ? 4 : text.find(':');  // most lines are data: no search for them
  if (colon == 0) return;
  std::string_view value;
  if (colon != std::string_view::npos) {
    value = text.substr(colon + 1);
    if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  }
  field(text.substr(0, colon), value, {known.in_chunk, encoding == Utf8::kAscii});
}

void SseParser::parse(std::string_view chunk, SseSink& sink) {
  if (chunk.empty()) return;
  const char* at = chunk.data();
  const char* const end = at + chunk.size();
  if (skip_lf_) {
    if (*at == '\n') ++at;
    skip_lf_ = false;
  }
  const char* const ascii_end = chunk.data() + ascii_prefix(chunk);
  // The next end of either kind is remembered: a stream without one kind would else be searched to its end for each line.
  const char* lf = find(at, end, '\n');
  const char* cr = find(at, end, '\r');
  while (at < end) {
    if (lf < at) lf = *at == '\n' ? at : find(at, end, '\n');
    if (cr < at) cr = find(at, end, '\r');
    const char* const stop = std::min(lf, cr);
    if (stop == end) break;
    const bool in_chunk = carry_.empty();
    if (!in_chunk) carry_.append(between(at, stop));
    const std::string_view text = in_chunk ? between(at, stop) : carry_.view();
    at = stop + 1;
    if (*stop == '\r') {
      if (at == end) {
        skip_lf_ = true;
      } else if (*at == '\n') {
        ++at;
      }
    }
    line(text, {in_chunk, in_chunk && stop <= ascii_end}, sink);
    if (!in_chunk) carry_.clear();
  }
  if (at < end) {
    if (carry_.size() + static_cast<std::size_t>(end - at) > limits_.line) refuse_line(line_number_ + 1, limits_.line);
    carry_.append(between(at, end));
  }
}

void SseParser::feed(std::string_view chunk, SseSink& sink) {
  state_.run([&] {
    parse(chunk, sink);
    keep_data();
    if (carry_.empty()) carry_.release();
    if (data_lines_ == 0) data_.release();
  });
}

}  // namespace mastra
