// The loader of index files and logs: any bytes are refused with an Error or give an index that can be used.
//
// The input is a seed file's changes: the harness writes a small valid file, applies the input as edits, and
// repairs the checksums, so that the checks behind them are reached.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "../src/checksum.hpp"
#include "mastra/error.hpp"
#include "mastra/vector_index.hpp"

namespace {

constexpr std::size_t kDim = 8;
constexpr std::size_t kSections = 14;
constexpr std::size_t kHeaderFields = 496;  // bytes of the header that mean something

// In memory where the system has such a folder: an execution writes the whole file.
std::string scratch_path() {
  static const std::string path =
      (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + ("/mastra-fuzz-index-" + std::to_string(getpid()));
  return path;
}

std::vector<std::uint8_t> read_file(const std::string& path) {
  std::vector<std::uint8_t> out;
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) std::abort();
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) out.push_back(static_cast<std::uint8_t>(c));
  std::fclose(file);
  return out;
}

void write_file(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) std::abort();
  std::fclose(file);
}

std::vector<std::uint8_t> seed(std::size_t rows, mastra::Metric metric, mastra::Storage storage) {
  mastra::IndexOptions options;
  options.dim = kDim;
  options.metric = metric;
  options.storage = storage;
  mastra::VectorIndex index(options);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> data(rows * kDim);
  for (float& x : data) x = normal(random);
  index.add({data.data(), rows, kDim, kDim}, nullptr, false, 1);
  const std::uint64_t gone[] = {1, 2};
  index.remove(gone, 2, true);
  index.save(scratch_path());
  return read_file(scratch_path());
}

const std::vector<std::vector<std::uint8_t>>& seeds() {
  using mastra::Metric;
  using mastra::Storage;
  static const std::vector<std::vector<std::uint8_t>> all = {
      seed(5, Metric::kCosine, Storage::kDefault),   seed(1100, Metric::kCosine, Storage::kDefault),
      seed(1030, Metric::kL2, Storage::kCompact),    seed(1030, Metric::kDot, Storage::kF16),
      seed(1030, Metric::kCosine, Storage::kF32),
  };
  return all;
}

// Makes every checksum right again that the edits made wrong, where the section table still points into the file.
void repair(std::vector<std::uint8_t>& bytes, const std::vector<std::size_t>& edits) {
  if (bytes.size() < 4096) return;
  const auto edited = [&](std::uint64_t from, std::uint64_t to) {
    return std::any_of(edits.begin(), edits.end(), [&](std::size_t at) { return at < to && at + 8 > from; });
  };
  const bool moved = edited(0, 4096);
  for (std::size_t i = 0; i < kSections; ++i) {
    std::uint64_t extent[3];
    std::uint8_t* at = bytes.data() + 136 + 24 * i;
    std::memcpy(extent, at, sizeof(extent));
    const std::uint64_t padded = (extent[1] + 4095) / 4096 * 4096;
    if (extent[0] > bytes.size() || padded > bytes.size() - extent[0]) continue;
    if (!moved && !edited(extent[0], extent[0] + padded)) continue;
    extent[2] = mastra::checksum(bytes.data() + extent[0], padded);
    std::memcpy(at, extent, sizeof(extent));
  }
  const std::uint64_t check = mastra::checksum(bytes.data(), 4088);
  std::memcpy(bytes.data() + 4088, &check, 8);
}

void use(const std::string& path, bool mmap) {
  mastra::VectorIndex index = mastra::VectorIndex::open(path, mmap, true, false);
  const std::size_t dim = index.options().dim;
  std::vector<float> row(dim, 0.25F);
  mastra::SearchOptions how;
  how.k = 5;
  for (const std::size_t ef : {std::size_t{0}, std::size_t{16}, std::size_t{300}}) {
    how.ef = ef;
    (void)index.search({row.data(), 1, dim, dim}, how);
  }
  (void)index.stats();
  std::vector<bool> dead;
  const std::vector<std::uint64_t> ids = index.ids_by_slot(dead);
  for (std::size_t slot = 0; slot < ids.size() && slot < 20; ++slot) {
    if (dead[slot]) continue;
    std::vector<float> out(dim);
    index.get(&ids[slot], 1, out.data());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::vector<std::uint8_t> bytes = seeds()[data[0] % seeds().size()];
  const bool mmap = (data[1] & 1U) != 0;
  const bool repaired = (data[1] & 2U) == 0;
  std::vector<std::size_t> edits;
  // Edits of 11 bytes: where (3), what (8); a place above 2^23 lies in the header.
  for (std::size_t at = 2; at + 11 <= size; at += 11) {
    std::size_t where = static_cast<std::size_t>(data[at]) | static_cast<std::size_t>(data[at + 1]) << 8U |
                        static_cast<std::size_t>(data[at + 2]) << 16U;
    where = (where >> 23U) != 0 ? where % kHeaderFields : where % bytes.size();
    const std::size_t room = bytes.size() - where < 8 ? bytes.size() - where : 8;
    std::memcpy(bytes.data() + where, data + at + 3, room);
    edits.push_back(where);
  }
  if ((data[1] & 4U) != 0) bytes.resize(bytes.size() - (data[1] >> 3U) * bytes.size() / 40);
  if (repaired) repair(bytes, edits);
  write_file(scratch_path(), bytes);
  try {
    use(scratch_path(), mmap);
  } catch (const mastra::Error&) {
    // refused by name: what must happen to most inputs
  }
  return 0;
}
