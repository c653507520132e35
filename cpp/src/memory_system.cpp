// What the operating system says about memory: Linux, macOS, Windows.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "mastra/memory.hpp"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
// psapi.h needs windows.h before it.
#include <psapi.h>
#elif defined(__APPLE__)
#include <mach/mach.h>
#include <sys/resource.h>
#include <sys/sysctl.h>
#else
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace mastra {
namespace {

using Bytes = std::optional<std::uint64_t>;

#if !defined(_WIN32)
Bytes address_space_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return static_cast<std::uint64_t>(limit.rlim_cur);
}
#endif

#if !defined(_WIN32) && !defined(__APPLE__)

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream out;
  out << file.rdbuf();
  return file ? out.str() : std::string();
}

// The number after `name` at the start of a line, times `unit`.
Bytes field(const std::string& text, std::string_view name, std::uint64_t unit) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, name.size(), name) != 0) continue;
    std::istringstream rest(line.substr(name.size()));
    std::uint64_t value = 0;
    if (rest >> value) return value * unit;
  }
  return std::nullopt;
}

// A file with one number; "max" and v1's "no limit" (more than any machine has) are nothing.
Bytes number(const std::string& path) {
  constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;
  std::istringstream text(read(path));
  std::uint64_t value = 0;
  if (!(text >> value) || value >= kNoLimit) return std::nullopt;
  return value;
}

struct Group {
  std::string mount;  // where its hierarchy is
  std::string path;   // of this process in it
  bool second = false;
};

// The memory group of this process: a line "0::/path" (v2) or "N:...memory...:/path" (v1, preferred).
std::optional<Group> memory_group(const std::string& root) {
  std::optional<Group> out;
  std::istringstream lines(read(root + "/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers(1, ',');
    controllers.append(line, first + 1, second - first - 1).append(1, ',');
    const std::string path = line.substr(second + 1);
    if (controllers == ",," && !out) out = Group{root + "/sys/fs/cgroup", path, true};
    if (controllers.find(",memory,") != std::string::npos) out = Group{root + "/sys/fs/cgroup/memory", path, false};
  }
  return out;
}

// Walks from the process's group up to the root: the smallest limit on the way holds.
void group_limits(const std::string& root, MemoryLimits& out) {
  const auto group = memory_group(root);
  if (!group) return;
  const char* limit_file = group->second ? "/memory.max" : "/memory.limit_in_bytes";
  const char* use_file = group->second ? "/memory.current" : "/memory.usage_in_bytes";
  const char* idle_field = group->second ? "inactive_file " : "total_inactive_file ";
  std::string path = group->path == "/" ? "" : group->path;
  for (;;) {
    const std::string folder = group->mount + path;
    const Bytes limit = number(folder + limit_file);
    if (limit && (!out.control_group || *limit < *out.control_group)) {
      out.control_group = limit;
      out.control_group_use = number(folder + use_file);
      const Bytes idle = field(read(folder + "/memory.stat"), idle_field, 1);
      if (out.control_group_use && idle) *out.control_group_use -= std::min(*idle, *out.control_group_use);
    }
    if (path.empty()) return;
    path.resize(path.find_last_of('/'));
  }
}

#endif

}  // namespace

#if defined(_WIN32)

ProcessMemory process_memory(bool /*with_proportional*/, const std::string& /*root*/) {
  ProcessMemory out;
  PROCESS_MEMORY_COUNTERS_EX counters{};
  if (K32GetProcessMemoryInfo(GetCurrentProcess(), reinterpret_cast<PROCESS_MEMORY_COUNTERS*>(&counters), sizeof counters)) {
    out.resident = counters.WorkingSetSize;
    out.peak_resident = counters.PeakWorkingSetSize;
    out.virtual_size = counters.PrivateUsage;
  }
  return out;
}

MemoryLimits memory_limits(const std::string& /*root*/) {
  MemoryLimits out;
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  if (GlobalMemoryStatusEx(&status)) {
    out.physical = status.ullTotalPhys;
    out.available = status.ullAvailPhys;
  }
  return out;
}

#elif defined(__APPLE__)

ProcessMemory process_memory(bool /*with_proportional*/, const std::string& /*root*/) {
  ProcessMemory out;
  mach_task_basic_info info{};
  mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
  if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info), &count) == KERN_SUCCESS) {
    out.resident = info.resident_size;
    out.peak_resident = info.resident_size_max;
    out.virtual_size = info.virtual_size;
  }
  return out;
}

MemoryLimits memory_limits(const std::string& /*root*/) {
  MemoryLimits out;
  std::uint64_t physical = 0;
  std::size_t size = sizeof physical;
  if (sysctlbyname("hw.memsize", &physical, &size, nullptr, 0) == 0) out.physical = physical;
  vm_statistics64_data_t machine{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  if (host_statistics64(mach_host_self(), HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&machine), &count) == KERN_SUCCESS) {
    out.available = (std::uint64_t{machine.free_count} + machine.inactive_count) * vm_page_size;
  }
  out.address_space = address_space_limit();
  return out;
}

#else

ProcessMemory process_memory(bool with_proportional, const std::string& root) {
  ProcessMemory out;
  const std::string status = read(root + "/proc/self/status");
  out.resident = field(status, "VmRSS:", 1024);
  out.peak_resident = field(status, "VmHWM:", 1024);
  out.virtual_size = field(status, "VmSize:", 1024);
  if (with_proportional) out.proportional = field(read(root + "/proc/self/smaps_rollup"), "Pss:", 1024);
  return out;
}

MemoryLimits memory_limits(const std::string& root) {
  MemoryLimits out;
  const std::string machine = read(root + "/proc/meminfo");
  out.physical = field(machine, "MemTotal:", 1024);
  out.available = field(machine, "MemAvailable:", 1024);
  group_limits(root, out);
  out.address_space = address_space_limit();
  return out;
}

#endif

}  // namespace mastra
