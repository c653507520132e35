// The one exception that leaves the core.
//
// Purpose: every public function of the core either succeeds or throws mastra::Error and leaves the
// object as it was. The code is a stable kebab-case word; bindings map it to a Python class.
// Thread safety: a value type; copy freely.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace mastra {

enum class ErrorCode {
  kInvalidArgument,    // a value the caller gave is not acceptable
  kDimensionMismatch,  // a vector has another length than the index
  kNotFound,           // an id or a name that is not there
  kAlreadyExists,      // an id that is there already
  kCorrupt,            // bytes that fail their checksum or their structure
  kUnsupported,        // a newer format, or an ability this build lacks
  kClosed,             // use after close
  kLimit,              // a declared size or depth limit was passed
  kInvalidEncoding,    // bytes that are not UTF-8 where text is required
  kIo,                 // the operating system refused
  kOutOfMemory,
  kInternal,
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string message)
      : std::runtime_error(std::move(message)), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace mastra
