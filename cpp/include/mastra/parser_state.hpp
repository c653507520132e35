// What every incremental parser is strict about: one call at a time, nothing after the end, and the first
// error for ever.
//
// Purpose: the state that a parser of a stream carries beside its grammar.
// Ownership: the text of an error is kept; the name is not, and must outlive the state.
// Thread safety: belongs to one parser, which belongs to one stream; no two calls at a time.
#pragma once

#include <optional>
#include <string>

#include "mastra/error.hpp"

namespace mastra {

class ParserState {
 public:
  // `name` is what errors call the parser's input, "this event stream".
  explicit ParserState(const char* name) noexcept : name_(name) {}

  // Does the work of one call. Throws what it threw, and that again in each later call.
  template <typename Work>
  void run(Work work) {
    if (failure_) throw *failure_;
    if (closed_) throw Error(ErrorCode::kClosed, std::string(name_) + " was closed");
    if (busy_) throw Error(ErrorCode::kInvalidArgument, "a parser takes one call at a time");
    busy_ = true;
    try {
      work();
    } catch (const Error& error) {
      failure_ = error;
      busy_ = false;
      throw;
    } catch (...) {
      failure_ = Error(ErrorCode::kInternal, "the receiver of what was parsed before failed");
      busy_ = false;
      throw;
    }
    busy_ = false;
  }

  // The end of the stream; throws the error of an earlier call.
  void close() {
    if (failure_) throw *failure_;
    closed_ = true;
  }
  [[nodiscard]] bool closed() const noexcept { return closed_; }

 private:
  const char* name_;
  bool busy_ = false;
  bool closed_ = false;
  std::optional<Error> failure_;
};

}  // namespace mastra
