#include "index_log.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "checksum.hpp"
#include "files.hpp"
#include "mapping.hpp"
#include "mastra/error.hpp"

namespace mastra {
namespace {

constexpr char kMagic[8] = {'M', 'A', 'S', 'T', 'R', 'A', 'V', 'L'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kFrameMagic = 0x524c564dU;  // "MVLR"
constexpr std::uint32_t kAdd = 1;
constexpr std::uint32_t kRemove = 2;

struct LogHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t dim;
  std::uint64_t generation;
  std::uint64_t reserved[4];
  std::uint64_t check;  // of what stands before
};
static_assert(sizeof(LogHeader) == 64);

struct FrameHeader {
  std::uint32_t magic;
  std::uint32_t kind;
  std::uint64_t count;
  std::uint64_t body_bytes;
  std::uint64_t body_check;
  std::uint64_t offset;  // where the frame stands in the log
  std::uint64_t check;   // of what stands before
};
static_assert(sizeof(FrameHeader) == 48);

template <class T>
T sealed(T header) {
  header.check = checksum(&header, sizeof(T) - sizeof(std::uint64_t));
  return header;
}

template <class T>
bool intact(const T& header) {
  return header.check == checksum(&header, sizeof(T) - sizeof(std::uint64_t));
}

LogHeader new_header(std::size_t dim, std::uint64_t generation) {
  LogHeader out{};
  std::memcpy(out.magic, kMagic, sizeof(kMagic));
  out.version = kVersion;
  out.dim = static_cast<std::uint32_t>(dim);
  out.generation = generation;
  return sealed(out);
}

[[noreturn]] void corrupt(const std::string& path, std::size_t offset, const char* what) {
  throw Error(ErrorCode::kCorrupt, path + " is damaged at offset " + std::to_string(offset) + ": " + what + ".");
}

LogRecord record_of(const std::string& path, const FrameHeader& frame, const std::uint8_t* body, std::size_t dim) {
  LogRecord out;
  out.is_add = frame.kind == kAdd;
  const std::size_t width = out.is_add ? 8 + 4 * dim : 8;
  if ((frame.kind != kAdd && frame.kind != kRemove) || frame.body_bytes / width != frame.count ||
      frame.body_bytes % width != 0) {
    corrupt(path, frame.offset, "a record of an impossible shape");
  }
  out.ids.resize(frame.count);
  if (frame.count != 0) std::memcpy(out.ids.data(), body, 8 * frame.count);
  if (out.is_add) {
    out.rows.resize(frame.count * dim);
    if (frame.count != 0) std::memcpy(out.rows.data(), body + 8 * frame.count, out.rows.size() * 4);
  }
  return out;
}

}  // namespace

std::vector<LogRecord> AppendLog::read(const std::string& path, std::size_t dim, std::uint64_t generation,
                                       std::size_t& valid_bytes) {
  valid_bytes = 0;
  std::vector<LogRecord> out;
  if (!files::exists(path)) return out;
  const Mapping file(path, false);
  if (file.size() == 0) return out;
  LogHeader header{};
  if (file.size() < sizeof(header)) corrupt(path, 0, "the header is cut off");
  std::memcpy(&header, file.data(), sizeof(header));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) corrupt(path, 0, "this is no append log");
  if (!intact(header)) corrupt(path, 0, "the header fails its checksum");
  if (header.version != kVersion) {
    throw Error(ErrorCode::kUnsupported, path + " has version " + std::to_string(header.version) +
                                             " of the log format; this build knows " + std::to_string(kVersion) + ".");
  }
  if (header.dim != dim) corrupt(path, 12, "the dimension is not that of the index");
  if (header.generation < generation) return out;  // what it says is in the file already
  if (header.generation > generation) corrupt(path, 16, "it belongs to a later file than the one beside it");
  std::size_t at = sizeof(header);
  while (at < file.size()) {
    FrameHeader frame{};
    if (file.size() - at < sizeof(frame)) break;  // cut off while it was written: never acknowledged
    std::memcpy(&frame, file.data() + at, sizeof(frame));
    if (!intact(frame) || frame.magic != kFrameMagic || frame.offset != at) {
      const std::uint8_t* from = file.data() + at;
      if (std::all_of(from, from + (file.size() - at), [](std::uint8_t b) { return b == 0; })) break;  // space never written
      corrupt(path, at, "a record's header fails its checksum");
    }
    const std::size_t left = file.size() - at - sizeof(frame);
    if (frame.body_bytes > left) break;
    const std::uint8_t* body = file.data() + at + sizeof(frame);
    if (checksum(body, frame.body_bytes) != frame.body_check) corrupt(path, at, "a record fails its checksum");
    out.push_back(record_of(path, frame, body, dim));
    at += sizeof(frame) + frame.body_bytes;
  }
  valid_bytes = at;
  return out;
}

AppendLog::AppendLog(std::string path, std::size_t dim, std::uint64_t generation, std::size_t valid_bytes, bool sync)
    : path_(std::move(path)), size_(valid_bytes), sync_(sync) {
  if (valid_bytes == 0) {
    begin(new_header(dim, generation));
    return;
  }
  file_ = files::open(path_);
  if (file_ == files::kNoFile) files::fail(path_, "Cannot open");
  try {
    take();
    if (!files::cut(file_, size_)) files::fail(path_, "Cannot shorten");
  } catch (...) {
    files::close(file_);
    throw;
  }
}

// Two writers would write over each other: the second is refused.
void AppendLog::take() const {
  if (!files::lock(file_)) {
    throw Error(ErrorCode::kIo, path_ + " is open for writing already; open the index with read_only=True.");
  }
}

// A new log takes the place of the old one whole, and is locked before anybody else can see it.
template <class Header>
void AppendLog::begin(const Header& header) {
  const files::Handle old = files::open(path_);
  if (old != files::kNoFile && !files::lock(old)) {
    files::close(old);
    throw Error(ErrorCode::kIo, path_ + " is open for writing already; open the index with read_only=True.");
  }
  const std::string fresh = path_ + ".tmp";
  try {
    file_ = files::create(fresh);
    take();
    files::write_all(file_, fresh, &header, sizeof(header));
    if (sync_) files::flush(file_, fresh);
    files::rename(fresh, path_);
  } catch (...) {
    files::close(old);
    files::close(file_);
    files::remove(fresh);
    throw;
  }
  files::close(old);
  size_ = sizeof(header);
}

AppendLog::~AppendLog() { files::close(file_); }

void AppendLog::append(const std::vector<std::uint8_t>& frame) {
  if (broken_) throw Error(ErrorCode::kIo, path_ + " could not be written before; open the index again.");
  try {
    files::write_all(file_, path_, frame.data(), frame.size());
    if (sync_) files::flush_data(file_, path_);
  } catch (...) {
    // Nothing of a record that was not acknowledged may stay in front of the next one.
    broken_ = !files::cut(file_, size_);
    throw;
  }
  size_ += frame.size();
}

void AppendLog::append_add(const MatrixView& rows, const std::vector<std::uint64_t>& ids) {
  FrameHeader header{};
  header.magic = kFrameMagic;
  header.kind = kAdd;
  header.count = ids.size();
  header.body_bytes = ids.size() * (8 + 4 * rows.dim);
  header.offset = size_;
  std::vector<std::uint8_t> frame(sizeof(header) + header.body_bytes);
  std::uint8_t* body = frame.data() + sizeof(header);
  std::memcpy(body, ids.data(), 8 * ids.size());
  for (std::size_t i = 0; i < rows.rows; ++i) {
    std::memcpy(body + 8 * ids.size() + i * rows.dim * 4, rows.data + i * rows.stride, rows.dim * 4);
  }
  header.body_check = checksum(body, header.body_bytes);
  header = sealed(header);
  std::memcpy(frame.data(), &header, sizeof(header));
  append(frame);
}

void AppendLog::append_remove(const std::uint64_t* ids, std::size_t count) {
  FrameHeader header{};
  header.magic = kFrameMagic;
  header.kind = kRemove;
  header.count = count;
  header.body_bytes = 8 * count;
  header.offset = size_;
  header.body_check = checksum(ids, header.body_bytes);
  header = sealed(header);
  std::vector<std::uint8_t> frame(sizeof(header) + header.body_bytes);
  std::memcpy(frame.data(), &header, sizeof(header));
  std::memcpy(frame.data() + sizeof(header), ids, header.body_bytes);
  append(frame);
}

}  // namespace mastra
