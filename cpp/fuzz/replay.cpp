// Feeds a fuzz target without a fuzzer: every file of a folder, each cut short in places, and the same few hundred random
// inputs each time. What fuzzing once found stays found in every test run and under every sanitizer.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kCuts = 64;
constexpr std::size_t kRandomInputs = 300;
constexpr std::size_t kLongest = 400;

void run(const std::vector<std::uint8_t>& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); }

void run_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<std::uint8_t> input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  run(input);
  for (std::size_t cut = 1; cut <= kCuts; ++cut) {
    const auto end = input.begin() + static_cast<std::ptrdiff_t>(input.size() * (cut - 1) / kCuts);
    run({input.begin(), end});
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      run_file(entry.path());
      ++files;
    }
  }
  std::mt19937 random(1);
  for (std::size_t i = 0; i < kRandomInputs; ++i) {
    std::vector<std::uint8_t> input(random() % kLongest);
    for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(random());
    run(input);
  }
  std::printf("%zu files and %zu random inputs\n", files, kRandomInputs);
  return argc > 1 && files == 0 ? 1 : 0;  // a folder that was named holds something
}
