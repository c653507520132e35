#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "checksum.hpp"
#include "mastra/vector_index.hpp"

using namespace mastra;

namespace {

constexpr std::size_t kDim = 24;

std::vector<float> normal_rows(std::size_t n, unsigned seed, std::size_t dim = kDim) {
  std::mt19937 source(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(n * dim);
  for (float& x : out) x = normal(source);
  return out;
}

MatrixView view(const std::vector<float>& rows, std::size_t dim = kDim) {
  return {rows.data(), rows.size() / dim, dim, dim};
}

MatrixView some(const std::vector<float>& rows, std::size_t from, std::size_t count) {
  return {rows.data() + from * kDim, count, kDim, kDim};
}

IndexOptions options(Metric metric = Metric::kCosine, Storage storage = Storage::kDefault) {
  IndexOptions out;
  out.dim = kDim;
  out.metric = metric;
  out.storage = storage;
  return out;
}

SearchOptions best(std::size_t k, std::size_t ef = 0) {
  SearchOptions out;
  out.k = k;
  out.ef = ef;
  return out;
}

// The share of exact answers that a search finds.
double recall(const VectorIndex& index, const std::vector<float>& rows, const std::vector<float>& queries,
              const SearchOptions& how) {
  const MatrixView asked = view(queries);
  std::vector<std::uint64_t> truth(asked.rows * how.k);
  std::vector<float> scores(asked.rows * how.k);
  exact_search(index.options().metric, view(rows), asked, how.k, 1, truth.data(), scores.data());
  const SearchResult found = index.search(asked, how);
  std::size_t hits = 0;
  for (std::size_t q = 0; q < asked.rows; ++q) {
    const std::set<std::uint64_t> want(truth.begin() + static_cast<std::ptrdiff_t>(q * how.k),
                                       truth.begin() + static_cast<std::ptrdiff_t>((q + 1) * how.k));
    for (std::size_t i = 0; i < found.width; ++i) hits += want.count(found.ids[q * found.width + i]);
  }
  return static_cast<double>(hits) / static_cast<double>(truth.size());
}

// A folder of its own, gone at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "mastra-index-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::vector<std::uint8_t> read_bytes(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  std::vector<std::uint8_t> out(std::filesystem::file_size(path));
  CHECK(std::fread(out.data(), 1, out.size(), file) == out.size());
  std::fclose(file);
  return out;
}

void write_bytes(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  CHECK(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
  std::fclose(file);
}

}  // namespace

TEST(finds_neighbours_in_every_metric_and_storage) {
  const std::vector<float> rows = normal_rows(2500, 1), queries = normal_rows(20, 2);
  for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kL2}) {
    for (const Storage storage : {Storage::kDefault, Storage::kCompact, Storage::kF16, Storage::kF32}) {
      if (check::kRaceDetector && static_cast<int>(metric) != static_cast<int>(storage) % 3) continue;
      VectorIndex index(options(metric, storage));
      index.add(view(rows), nullptr, false, 2);
      CHECK(recall(index, rows, queries, best(10, 200)) > (storage == Storage::kCompact ? 0.85 : 0.95));
      CHECK(recall(index, rows, queries, best(10)) > (storage == Storage::kCompact ? 0.85 : 0.93));
    }
  }
}

TEST(batches_and_single_queries_agree_on_any_number_of_threads) {
  const std::vector<float> rows = normal_rows(3000, 3), queries = normal_rows(40, 4);
  VectorIndex index(options());
  index.add(view(rows), nullptr, false, 1);
  SearchOptions how = best(5, 50);
  const SearchResult one = index.search(view(queries), how);
  how.threads = 3;
  const SearchResult three = index.search(view(queries), how);
  CHECK(one.ids == three.ids && one.scores == three.scores);
  for (std::size_t q = 0; q < 40; ++q) {
    const SearchResult alone = index.search(some(queries, q, 1), best(5, 50));
    CHECK(std::equal(alone.ids.begin(), alone.ids.end(), one.ids.begin() + static_cast<std::ptrdiff_t>(q * 5)));
  }
}

TEST(a_refused_batch_leaves_no_trace) {
  VectorIndex index(options());
  std::vector<float> rows = normal_rows(4, 5);
  index.add(view(rows), nullptr, false, 1);
  rows[2 * kDim + 3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS(ErrorCode::kInvalidArgument, index.add(view(rows), nullptr, false, 1));
  const std::uint64_t twice[] = {9, 10, 9, 11};
  const std::vector<float> fine = normal_rows(4, 6);
  CHECK_THROWS(ErrorCode::kInvalidArgument, index.add(view(fine), twice, false, 1));
  const std::uint64_t known[] = {9, 10, 2, 11};
  CHECK_THROWS(ErrorCode::kAlreadyExists, index.add(view(fine), known, false, 1));
  CHECK_THROWS(ErrorCode::kNotFound, index.remove(known, 4, true));
  CHECK(index.size() == 4 && index.slots() == 4);
}

TEST(removed_rows_are_repaired_around_and_their_slots_used_again) {
  const std::vector<float> rows = normal_rows(3000, 7), queries = normal_rows(30, 8);
  std::vector<std::uint64_t> ids(3000);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = i;
  VectorIndex index(options());
  index.add(view(rows), ids.data(), false, 2);
  const double before = recall(index, rows, queries, best(10, 60));
  std::mt19937 random(9);
  for (int round = 0; round < 3; ++round) {
    std::shuffle(ids.begin(), ids.end(), random);
    CHECK(index.remove(ids.data(), 600, true) == 600);
    std::vector<float> again;
    for (std::size_t i = 0; i < 600; ++i) {
      again.insert(again.end(), rows.begin() + static_cast<std::ptrdiff_t>(ids[i] * kDim),
                   rows.begin() + static_cast<std::ptrdiff_t>((ids[i] + 1) * kDim));
    }
    index.add(view(again), ids.data(), false, 1);
  }
  CHECK(index.size() == 3000 && index.slots() < 3600);
  CHECK(recall(index, rows, queries, best(10, 60)) > before - 0.02);
  for (std::uint64_t id = 0; id < 3000; ++id) CHECK(index.contains(id));
  index.remove(ids.data(), 3000, true);
  CHECK(index.size() == 0 && index.search(view(queries), best(5)).width == 0);
  std::sort(ids.begin(), ids.end());
  index.add(view(rows), ids.data(), false, 1);
  CHECK(recall(index, rows, queries, best(10, 60)) > before - 0.02);
}

TEST(every_changed_byte_of_a_file_is_noticed) {
  const Folder folder;
  const std::string path = folder.file("index");
  for (const std::size_t rows : {std::size_t{3}, std::size_t{1100}}) {
    const std::vector<float> data = normal_rows(rows, 10);
    VectorIndex index(options());
    index.add(view(data), nullptr, false, 1);
    index.save(path);
    const std::vector<std::uint8_t> good = read_bytes(path);
    std::mt19937 random(11);
    for (int i = 0; i < 300; ++i) {
      std::vector<std::uint8_t> bad = good;
      const std::size_t at = i < 60 ? random() % 512 : random() % bad.size();
      bad[at] = static_cast<std::uint8_t>(bad[at] ^ (1U << random() % 8));
      if (i % 5 == 0) bad.resize(random() % bad.size());
      write_bytes(path, bad);
      bool refused = false;
      try {
        VectorIndex::open(path, i % 2 == 0, true, false);
      } catch (const Error& error) {
        refused = (error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kUnsupported) &&
                  std::string(error.what()).find(path) == 0;
      }
      CHECK(refused);
    }
    write_bytes(path, good);
    CHECK(VectorIndex::open(path, true, true, false).size() == rows);
  }
}

TEST(a_file_with_right_checksums_and_absurd_numbers_is_refused_when_it_is_searched) {
  const Folder folder;
  const std::string path = folder.file("index");
  const std::vector<float> rows = normal_rows(1100, 21);
  VectorIndex made(options(Metric::kL2, Storage::kCompact));
  made.add(view(rows), nullptr, false, 1);
  made.save(path);
  const std::vector<std::uint8_t> good = read_bytes(path);
  constexpr std::size_t kGridAt = 4096, kTable = 136;  // the grid is the first section; its checksum stands in the table
  int refused = 0;
  for (const float centre : {-1e36F, 3e36F, 3e37F, -1.9e38F}) {
    for (const float step : {1e-3F, 0.1F, 1.0F, 30.0F}) {
      for (const std::size_t dims : {std::size_t{1}, std::size_t{2}, kDim}) {
        std::vector<std::uint8_t> bytes = good;
        for (std::size_t j = 0; j < dims; ++j) {
          const float signed_centre = j % 2 == 0 ? centre : -centre;
          std::memcpy(bytes.data() + kGridAt + 4 * j, &signed_centre, 4);
          std::memcpy(bytes.data() + kGridAt + 4 * kDim + 4 * j, &step, 4);
        }
        const std::uint64_t grid = checksum(bytes.data() + kGridAt, 4096);
        std::memcpy(bytes.data() + kTable + 16, &grid, 8);
        const std::uint64_t header = checksum(bytes.data(), 4088);
        std::memcpy(bytes.data() + 4088, &header, 8);
        write_bytes(path, bytes);
        const VectorIndex index = VectorIndex::open(path, false, true, false);
        for (const std::size_t ef : {std::size_t{0}, std::size_t{16}, std::size_t{300}}) {
          try {
            CHECK(index.search(some(rows, 0, 1), best(10, ef)).width == 10);
          } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kCorrupt);
            ++refused;
          }
        }
      }
    }
  }
  CHECK(refused > 0);
}

TEST(storage_of_halves_refuses_what_a_half_cannot_hold) {
  VectorIndex index(options(Metric::kL2, Storage::kF16));
  std::vector<float> rows = normal_rows(2, 22);
  rows[kDim + 3] = -65505.0F;
  CHECK_THROWS(ErrorCode::kInvalidArgument, index.add(view(rows), nullptr, false, 1));
  CHECK(index.size() == 0);
  rows[kDim + 3] = -65504.0F;
  CHECK(index.add(view(rows), nullptr, false, 1).size() == 2);
}

TEST(every_changed_byte_of_a_log_is_noticed_and_a_torn_end_is_dropped) {
  const Folder folder;
  const std::string path = folder.file("index"), log = path + ".log";
  const std::vector<float> data = normal_rows(30, 12);
  VectorIndex(options()).save(path);
  {
    VectorIndex index = VectorIndex::open(path, true, false, false);
    for (std::size_t i = 0; i < 30; i += 10) index.add(some(data, i, 10), nullptr, false, 1);
  }
  const std::vector<std::uint8_t> good = read_bytes(log);
  std::mt19937 random(13);
  for (int i = 0; i < 300; ++i) {
    std::vector<std::uint8_t> bad = good;
    const std::size_t at = random() % bad.size();
    bad[at] = static_cast<std::uint8_t>(bad[at] ^ (1U << random() % 8));
    write_bytes(log, bad);
    CHECK_THROWS(ErrorCode::kCorrupt, VectorIndex::open(path, true, true, false));
  }
  const std::size_t frame = (good.size() - 64) / 3;
  for (std::size_t cut = 64 + 2 * frame; cut < good.size(); cut += 7) {
    write_bytes(log, {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut)});
    VectorIndex index = VectorIndex::open(path, false, false, false);
    CHECK(index.size() == 20);
    index.add(some(data, 20, 10), nullptr, false, 1);
    CHECK(VectorIndex::open(path, false, true, false).size() == 30);
  }
}

TEST(searches_run_beside_changes) {
  const std::vector<float> rows = normal_rows(4000, 14);
  VectorIndex index(options());
  index.add(some(rows, 0, 1500), nullptr, false, 2);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<std::uint64_t> gone{0};  // ids below are removed
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      std::size_t at = 0;
      while (!stop.load()) {
        const std::uint64_t floor = gone.load();
        const SearchResult found = index.search(some(rows, at++ % 4000, 1), best(8, 32));
        if (found.width != 8) ++wrong;
        for (const std::uint64_t id : found.ids) {
          if (id < floor || id >= 4000) ++wrong;
        }
        (void)index.stats();
        (void)index.contains(at);
      }
    });
  }
  int lost = 0;
  for (std::size_t i = 1500; i < 4000; i += 125) {
    const std::vector<std::uint64_t> ids = index.add(some(rows, i, 125), nullptr, false, 2);
    for (std::size_t j = 0; j < 125; j += 5) {
      const SearchResult own = index.search(some(rows, i + j, 1), best(10, 64));
      if (std::find(own.ids.begin(), own.ids.end(), ids[j]) == own.ids.end()) ++lost;
    }
    std::vector<std::uint64_t> old(60);
    for (std::size_t j = 0; j < 60; ++j) old[j] = gone.load() + j;
    index.remove(old.data(), 60, true);
    gone += 60;
  }
  index.optimize(2);
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
  CHECK(lost <= 1);
}

TEST_MAIN()
