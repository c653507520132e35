// Which instruction sets this machine runs. Compiled with baseline flags.
#pragma once

#include <string>

namespace mastra {

// The processor architecture the core was built for: "x86_64", "aarch64" or "other".
std::string cpu_architecture();

}  // namespace mastra
