// A 64-bit checksum at the speed of memory: eight lanes, each step of which loses nothing, so that a change
// of any one word always changes the result. Not a defence against forgery. Fixed for ever: files carry it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mastra {

inline std::uint64_t checksum(const void* data, std::size_t bytes) noexcept {
  constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15ULL;
  std::uint64_t lane[8];
  for (std::size_t i = 0; i < 8; ++i) lane[i] = kMix * (2 * i + 1);
  const auto step = [&](const std::uint8_t* block) {
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint64_t word;
      std::memcpy(&word, block + 8 * i, 8);
      const std::uint64_t x = (lane[i] ^ word) * 0xd6e8feb86659fd93ULL;
      lane[i] = (x << 31U) | (x >> 33U);
    }
  };
  const auto* at = static_cast<const std::uint8_t*>(data);
  std::size_t left = bytes;
  for (; left >= 64; left -= 64, at += 64) step(at);
  if (left != 0) {
    std::uint8_t last[64] = {};
    std::memcpy(last, at, left);
    step(last);
  }
  std::uint64_t out = kMix ^ bytes;
  for (const std::uint64_t each : lane) {
    out = (out ^ each) * 0xff51afd7ed558ccdULL;
    out ^= out >> 32U;
  }
  return out;
}

}  // namespace mastra
