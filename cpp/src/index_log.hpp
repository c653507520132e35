// The append log beside a saved index: every add and remove since the file was written, in order.
//
// A record is acknowledged when its call returns: it has been written and, unless opened with sync=False,
// flushed to the disk. The format is in docs/formats/vector-index.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "files.hpp"
#include "mastra/exact_search.hpp"

namespace mastra {

struct LogRecord {
  bool is_add = false;
  std::vector<std::uint64_t> ids;
  std::vector<float> rows;  // of an add: dim floats an id
};

class AppendLog {
 public:
  // The log that belongs to this generation of the file; an older one is left behind by a save and empty.
  // Throws Error(kCorrupt) naming file and offset, kIo.
  static std::vector<LogRecord> read(const std::string& path, std::size_t dim, std::uint64_t generation,
                                     std::size_t& valid_bytes);
  // Opens the log for appending after `valid_bytes`; 0 writes a new one. Throws Error(kIo) when another index
  // has it open.
  AppendLog(std::string path, std::size_t dim, std::uint64_t generation, std::size_t valid_bytes, bool sync);
  ~AppendLog();
  AppendLog(const AppendLog&) = delete;
  AppendLog& operator=(const AppendLog&) = delete;

  void append_add(const MatrixView& rows, const std::vector<std::uint64_t>& ids);
  void append_remove(const std::uint64_t* ids, std::size_t count);
  [[nodiscard]] bool sync() const noexcept { return sync_; }

 private:
  void take() const;
  template <class Header>
  void begin(const Header& header);
  void append(const std::vector<std::uint8_t>& frame);

  std::string path_;
  files::Handle file_ = files::kNoFile;
  std::size_t size_ = 0;
  bool sync_ = true;
  bool broken_ = false;
};

}  // namespace mastra
