// The choice of kernels: one list, most preferred first; the first that this machine runs is active.
//
// MASTRA_KERNEL=name in the environment forces one. A name that is unknown or that the machine cannot run
// is an error at first use, never a silent fall-back: a benchmark would lie.
// Thread safety: all functions may be called from any thread.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.hpp"

namespace mastra::kernels {

// The tables this machine can run, most preferred first; scalar is always the last.
const std::vector<const KernelTable*>& all();

// The active table. Throws Error(kInvalidArgument) when MASTRA_KERNEL names none of all().
const KernelTable& active();

// The table of this name. Throws Error(kInvalidArgument) when the machine has no such kernel.
const KernelTable& named(const std::string& name);

}  // namespace mastra::kernels
