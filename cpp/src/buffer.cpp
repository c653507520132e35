#include "mastra/buffer.hpp"

namespace mastra {

ObjectPool<Buffer::Bytes>& Buffer::pool() {
  const auto make = [] {
    Bytes out;
    out.reserve(kBytesKept);
    return out;
  };
  const auto reset = [](Bytes& bytes) {
    bytes.clear();
    if (bytes.capacity() <= kBytesKept) return;
    // Back to what a fresh one has. Without memory it stays as it is: a reset may not throw.
    try {
      Bytes fresh;
      fresh.reserve(kBytesKept);
      bytes.swap(fresh);
    } catch (const std::bad_alloc&) {
    }
  };
  // Never destroyed: parsers may outlive every static object.
  static auto* const pool = new ObjectPool<Bytes>(kBuffersKept, make, reset);
  return *pool;
}

}  // namespace mastra
