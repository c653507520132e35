#!/bin/sh
# The share of instructions that the memory counters take of building an index. Needs valgrind.
#
# Run: cmake --preset release && cmake --build --preset release && bench/memory_overhead.sh
set -eu
program=${1:-build/release/bench/bench_memory}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
valgrind --quiet --tool=callgrind --callgrind-out-file="$out" "$program" 4000 40
callgrind_annotate --threshold=100 "$out" | awk '
  /PROGRAM TOTALS/ { gsub(",", "", $1); all = $1 }
  /mastra::(count_memory|.*raise_to)/ { gsub(",", "", $1); counters += $1 }
  END { printf "%d of %d instructions: %.5f %%\n", counters, all, 100 * counters / all }'
