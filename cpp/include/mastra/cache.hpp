// A bounded in-process cache: S3-FIFO, sharded, with time to live.
//
// Purpose: keeps what is asked for again. New entries pass a small queue (a tenth of the room) and enter
// the main one only when asked for again while there, or soon after they left it; a hit sets a counter
// and moves nothing. On skewed traces it keeps more of what counts than LRU, and a scan cannot flush it.
// Ownership: the cache owns keys and values. Values that leave are handed to the caller's `Dropped` and
// destroyed there, after the shard's lock is released: their destructors may call the cache again.
// Thread safety: every method may be called from any thread; one lock for each shard, held for
// nanoseconds. The copy constructor of Value runs under it and must not call the cache.
// Expiry: an entry is never returned at or after its `expires` (the caller's clock, any unit; 0: never).
// REQUIRES: destructors of keys and values do not throw.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mastra/error.hpp"
#include "mastra/memory.hpp"

namespace mastra {

struct CacheLimits {
  std::size_t entries = 10'000;
  std::size_t bytes = 0;   // keys, values and bookkeeping; 0: no limit
  std::size_t shards = 1;  // each has its part of the room
};

struct CacheStats {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t sets = 0;
  std::uint64_t evictions = 0;    // left for want of room
  std::uint64_t expirations = 0;  // found too old
  std::size_t entries = 0;
  std::size_t bytes = 0;
};

template <typename Value>
class Cache {
 public:
  using Dropped = std::vector<Value>;

  explicit Cache(CacheLimits limits) : limits_(checked(limits)) {
    for (std::size_t at = 0; at < limits_.shards; ++at) {
      shards_.push_back(std::make_unique<Shard>(std::max<std::size_t>(limits_.entries / limits_.shards, 1),
                                                limits_.bytes / limits_.shards));
    }
  }

  // A copy of the value, when there is one that has not expired.
  std::optional<Value> get(std::string_view key, std::int64_t now, Dropped& dropped) {
    const std::uint64_t hash = hash_of(key);
    return shard(hash).get(key, hash, now, dropped);
  }

  // Keeps the value. False when it is larger than the room of its shard: then the key is gone.
  // With `only_new`, an entry that is there and not expired stays, and the answer is false.
  bool set(std::string_view key, Value value, std::size_t size, std::int64_t expires, std::int64_t now, bool only_new,
           Dropped& dropped) {
    const std::uint64_t hash = hash_of(key);
    return shard(hash).set(key, hash, std::move(value), size, expires, now, only_new, dropped);
  }

  bool erase(std::string_view key, Dropped& dropped) {
    const std::uint64_t hash = hash_of(key);
    return shard(hash).erase(key, hash, dropped);
  }

  void clear(Dropped& dropped) {
    for (auto& each : shards_) each->clear(dropped);
  }

  // Removes what has expired; returns how many.
  std::size_t purge(std::int64_t now, Dropped& dropped) {
    std::size_t gone = 0;
    for (auto& each : shards_) gone += each->purge(now, dropped);
    return gone;
  }

  [[nodiscard]] CacheStats stats() const {
    CacheStats all;
    for (const auto& each : shards_) {
      const CacheStats one = each->stats();
      all.hits += one.hits;
      all.misses += one.misses;
      all.sets += one.sets;
      all.evictions += one.evictions;
      all.expirations += one.expirations;
      all.entries += one.entries;
      all.bytes += one.bytes;
    }
    return all;
  }

  [[nodiscard]] const CacheLimits& limits() const noexcept { return limits_; }

 private:
  struct Node {
    Node(std::string_view its_key, std::uint64_t its_hash, Value its_value)
        : hash(its_hash), key(its_key), value(std::move(its_value)) {}
    std::uint64_t hash;
    std::string key;
    Value value;
    std::size_t bytes = 0;
    std::int64_t expires = 0;
    Node* in_bucket = nullptr;
    Node* older = nullptr;
    Node* newer = nullptr;
    std::uint8_t asked = 0;  // 0..3
    bool in_main = false;
  };

  struct Queue {
    Node* newest = nullptr;
    Node* oldest = nullptr;
    std::size_t entries = 0;
    std::size_t bytes = 0;

    void push(Node* node) noexcept {
      node->newer = nullptr;
      node->older = newest;
      (newest != nullptr ? newest->newer : oldest) = node;
      newest = node;
      ++entries;
      bytes += node->bytes;
    }
    void remove(Node* node) noexcept {
      (node->newer != nullptr ? node->newer->older : newest) = node->older;
      (node->older != nullptr ? node->older->newer : oldest) = node->newer;
      --entries;
      bytes -= node->bytes;
    }
  };

  // Remembers the hashes that left the small queue lately: fingerprints in a table, aged by a counter.
  class Ghosts {
   public:
    explicit Ghosts(std::size_t room) : room_(static_cast<std::uint32_t>(std::min<std::size_t>(room, 1U << 30))), table_(slots(room)) {}
    void add(std::uint64_t hash) noexcept { table_[hash & (table_.size() - 1)] = {static_cast<std::uint32_t>(hash >> 32), ++count_}; }
    bool take(std::uint64_t hash) noexcept {
      Ghost& at = table_[hash & (table_.size() - 1)];
      const bool found = at.when != 0 && at.print == static_cast<std::uint32_t>(hash >> 32) && count_ - at.when < room_;
      if (found) at.when = 0;
      return found;
    }

   private:
    struct Ghost {
      std::uint32_t print = 0;
      std::uint32_t when = 0;
    };
    static std::size_t slots(std::size_t room) {
      std::size_t size = 64;
      while (size < room && size < (std::size_t{1} << 22)) size *= 2;
      return size;
    }
    std::uint32_t room_;
    std::uint32_t count_ = 0;
    std::vector<Ghost> table_;
  };

  class Shard {
   public:
    Shard(std::size_t most_entries, std::size_t most_bytes)
        : most_entries_(most_entries), most_bytes_(most_bytes), buckets_(64), ghosts_(most_entries) {}

    ~Shard() {
      Dropped dropped;
      clear(dropped);
    }

    std::optional<Value> get(std::string_view key, std::uint64_t hash, std::int64_t now, Dropped& dropped) {
      const std::lock_guard lock(mutex_);
      Node* node = find(key, hash);
      if (node != nullptr && expired(*node, now)) {
        ++stats_.expirations;
        remove(node, dropped);
        node = nullptr;
      }
      if (node == nullptr) {
        ++stats_.misses;
        return std::nullopt;
      }
      ++stats_.hits;
      if (node->asked < 3) ++node->asked;
      return node->value;
    }

    bool set(std::string_view key, std::uint64_t hash, Value value, std::size_t size, std::int64_t expires, std::int64_t now,
             bool only_new, Dropped& dropped) {
      const std::size_t bytes = sizeof(Node) + key.size() + size;
      const std::lock_guard lock(mutex_);
      Node* node = find(key, hash);
      if (node != nullptr && only_new && !expired(*node, now)) {
        dropped.push_back(std::move(value));
        return false;
      }
      if (most_bytes_ != 0 && bytes > most_bytes_) {
        if (node != nullptr) remove(node, dropped);
        dropped.push_back(std::move(value));
        return false;
      }
      ++stats_.sets;
      if (node != nullptr) {
        dropped.push_back(std::exchange(node->value, std::move(value)));
        resize(node, bytes);
        node->expires = expires;
        if (node->asked < 3) ++node->asked;
      } else {
        insert(key, hash, std::move(value), bytes, expires);
      }
      while (small_.entries + main_.entries > most_entries_ || (most_bytes_ != 0 && small_.bytes + main_.bytes > most_bytes_)) {
        evict(now, dropped);
      }
      return true;
    }

    bool erase(std::string_view key, std::uint64_t hash, Dropped& dropped) {
      const std::lock_guard lock(mutex_);
      Node* node = find(key, hash);
      if (node != nullptr) remove(node, dropped);
      return node != nullptr;
    }

    void clear(Dropped& dropped) {
      const std::lock_guard lock(mutex_);
      while (small_.oldest != nullptr) remove(small_.oldest, dropped);
      while (main_.oldest != nullptr) remove(main_.oldest, dropped);
    }

    std::size_t purge(std::int64_t now, Dropped& dropped) {
      const std::lock_guard lock(mutex_);
      std::size_t gone = 0;
      for (Queue* queue : {&small_, &main_}) {
        for (Node* node = queue->oldest; node != nullptr;) {
          Node* next = node->newer;
          if (expired(*node, now)) {
            remove(node, dropped);
            ++gone;
          }
          node = next;
        }
      }
      stats_.expirations += gone;
      return gone;
    }

    CacheStats stats() const {
      const std::lock_guard lock(mutex_);
      CacheStats out = stats_;
      out.entries = small_.entries + main_.entries;
      out.bytes = small_.bytes + main_.bytes;
      return out;
    }

   private:
    static bool expired(const Node& node, std::int64_t now) noexcept { return node.expires != 0 && now >= node.expires; }

    Node*& bucket(std::uint64_t hash) noexcept { return buckets_[(hash >> 8) & (buckets_.size() - 1)]; }

    Node* find(std::string_view key, std::uint64_t hash) noexcept {
      Node* node = bucket(hash);
      while (node != nullptr && (node->hash != hash || node->key != key)) node = node->in_bucket;
      return node;
    }

    void insert(std::string_view key, std::uint64_t hash, Value value, std::size_t bytes, std::int64_t expires) {
      if (small_.entries + main_.entries >= buckets_.size()) grow();
      auto* node = new Node(key, hash, std::move(value));
      node->bytes = bytes;
      node->expires = expires;
      node->in_bucket = std::exchange(bucket(hash), node);
      node->in_main = ghosts_.take(hash);
      queue(node).push(node);
      count_memory(MemoryCategory::kCache, static_cast<std::int64_t>(bytes));
    }

    void grow() {
      std::vector<Node*> old(buckets_.size() * 2);
      old.swap(buckets_);
      for (Node* node : old) {
        while (node != nullptr) {
          Node* next = node->in_bucket;
          node->in_bucket = std::exchange(bucket(node->hash), node);
          node = next;
        }
      }
    }

    Queue& queue(const Node* node) noexcept { return node->in_main ? main_ : small_; }

    void resize(Node* node, std::size_t bytes) noexcept {
      queue(node).bytes += bytes - node->bytes;
      count_memory(MemoryCategory::kCache, static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(node->bytes));
      node->bytes = bytes;
    }

    void remove(Node* node, Dropped& dropped) {
      dropped.push_back(std::move(node->value));
      Node** at = &bucket(node->hash);
      while (*at != node) at = &(*at)->in_bucket;
      *at = node->in_bucket;
      queue(node).remove(node);
      count_memory(MemoryCategory::kCache, -static_cast<std::int64_t>(node->bytes));
      delete node;
    }

    [[nodiscard]] bool small_is_full() const noexcept {
      if (main_.oldest == nullptr) return true;
      if (small_.oldest == nullptr) return false;
      return small_.entries * 10 >= most_entries_ || (most_bytes_ != 0 && small_.bytes * 10 >= most_bytes_);
    }

    // One step: something leaves, or something moves on. Counters fall with each step, so it ends.
    void evict(std::int64_t now, Dropped& dropped) {
      if (small_is_full()) {
        Node* node = small_.oldest;
        if (node->asked > 0 && !expired(*node, now)) {
          small_.remove(node);
          node->in_main = true;
          node->asked = 0;
          main_.push(node);
          return;
        }
        ghosts_.add(node->hash);
        ++stats_.evictions;
        remove(node, dropped);
        return;
      }
      Node* node = main_.oldest;
      if (node->asked > 0 && !expired(*node, now)) {
        main_.remove(node);
        --node->asked;
        main_.push(node);
        return;
      }
      ++stats_.evictions;
      remove(node, dropped);
    }

    const std::size_t most_entries_;
    const std::size_t most_bytes_;
    mutable std::mutex mutex_;
    std::vector<Node*> buckets_;  // a power of two
    Queue small_;
    Queue main_;
    Ghosts ghosts_;
    CacheStats stats_;
  };

  static CacheLimits checked(CacheLimits limits) {
    if (limits.entries == 0 || limits.shards == 0 || limits.shards > 256) {
      throw Error(ErrorCode::kInvalidArgument, "a cache needs room for one entry and 1 to 256 shards");
    }
    limits.shards = std::min(limits.shards, limits.entries);
    return limits;
  }

  static std::uint64_t hash_of(std::string_view key) noexcept {
    std::uint64_t hash = std::hash<std::string_view>{}(key);
    hash ^= hash >> 32;  // every bit matters: shard, bucket and fingerprint use different ones
    hash *= 0x9E3779B97F4A7C15ULL;
    return hash ^ (hash >> 29);
  }

  Shard& shard(std::uint64_t hash) noexcept { return *shards_[(hash & 0xFF) % shards_.size()]; }

  const CacheLimits limits_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace mastra
