// What this build of the core is: for `mastra doctor`, logs and bug reports.
#pragma once

#include <string>

namespace mastra {

struct BuildInfo {
  std::string version;       // the package version it was built from
  std::string compiler;      // name and version
  std::string architecture;  // x86_64, aarch64, other
  bool debug;                // assertions on
};

BuildInfo build_info();

}  // namespace mastra
