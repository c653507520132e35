// A unit-test framework in one page: TEST(name) { CHECK(...); CHECK_THROWS(code, expr); }
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>

#include "mastra/error.hpp"

namespace mastra::check {

// Under the race detector everything takes fifteen times as long; tests of every combination take some of them.
#if defined(__SANITIZE_THREAD__)
constexpr bool kRaceDetector = true;
#else
constexpr bool kRaceDetector = false;
#endif

struct Case {
  const char* name;
  void (*run)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

inline bool add(const char* name, void (*run)()) {
  cases().push_back({name, run});
  return true;
}

inline void fail(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
  ++failures();
}

// Runs every case, or those whose name contains argv[1].
inline int run_all(int argc, char** argv) {
  int ran = 0;
  for (const Case& test : cases()) {
    if (argc > 1 && std::strstr(test.name, argv[1]) == nullptr) continue;
    ++ran;
    try {
      test.run();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: uncaught: %s\n", test.name, error.what());
      ++failures();
    }
  }
  std::printf("%d cases, %d failures\n", ran, failures());
  return failures() == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace mastra::check

#define TEST(name)                                                               \
  static void name();                                                            \
  [[maybe_unused]] static const bool name##_added = mastra::check::add(#name, name); \
  static void name()

#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) mastra::check::fail(__FILE__, __LINE__, #condition); \
  } while (false)

#define CHECK_THROWS(error_code, expression)                                             \
  do {                                                                                   \
    bool threw = false;                                                                  \
    try {                                                                                \
      (void)(expression);                                                                \
    } catch (const mastra::Error& error) {                                               \
      threw = error.code() == (error_code);                                              \
    }                                                                                    \
    if (!threw) mastra::check::fail(__FILE__, __LINE__, #expression " throws " #error_code); \
  } while (false)

#define TEST_MAIN() \
  int main(int argc, char** argv) { return mastra::check::run_all(argc, argv); }
