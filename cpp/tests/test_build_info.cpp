#include "check.hpp"
#include "mastra/build_info.hpp"

TEST(names_the_compiler_and_the_architecture) {
  const mastra::BuildInfo info = mastra::build_info();
  CHECK(!info.compiler.empty());
  CHECK(info.architecture == "x86_64" || info.architecture == "aarch64" || info.architecture == "other");
}

TEST_MAIN()
