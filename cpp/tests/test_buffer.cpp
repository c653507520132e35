#include "mastra/buffer.hpp"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "mastra/json_stream.hpp"
#include "mastra/records.hpp"
#include "mastra/sse.hpp"

using mastra::Buffer;
using mastra::MemoryCategory;

namespace {

std::int64_t live() { return mastra::memory_use(MemoryCategory::kBuffers).live; }
std::uint64_t allocations() { return mastra::memory_use(MemoryCategory::kBuffers).allocations; }

struct Events final : mastra::SseSink {
  int count = 0;
  void on_event(const mastra::SseEvent& /*event*/) override { ++count; }
};
struct Records final : mastra::RecordSink {
  int count = 0;
  void on_record(std::string_view /*record*/, bool /*ascii*/) override { ++count; }
};

}  // namespace

TEST(a_buffer_is_a_text_that_grows) {
  Buffer buffer;
  CHECK(buffer.empty() && buffer.view().data() != nullptr);
  buffer.append("abc");
  buffer.append('d');
  CHECK(buffer.view() == "abcd" && buffer.size() == 4);
  buffer.remove_prefix(3);
  CHECK(buffer.view() == "d");
  buffer.assign("new");
  CHECK(buffer.view() == "new");
  buffer.clear();
  CHECK(buffer.empty());
  buffer.release();
  buffer.remove_prefix(0);
  CHECK(buffer.empty());
}

TEST(the_memory_of_one_buffer_serves_the_next) {
  { Buffer().append("warm"); }
  const auto before = allocations();
  const auto kept = live();
  for (int round = 0; round < 100; ++round) {
    Buffer buffer;
    buffer.append("something that does not fit into a short string");
    CHECK(buffer.size() == 47);
  }
  CHECK(allocations() == before);
  CHECK(live() == kept);
}

TEST(a_large_buffer_is_cut_down_before_it_waits) {
  { Buffer().append("warm"); }
  const auto before = live();
  {
    Buffer buffer;
    buffer.append(std::string(1 << 20, 'x'));
    CHECK(live() >= before + (1 << 20) - static_cast<std::int64_t>(Buffer::kBytesKept));
  }
  CHECK(live() == before);
  CHECK(Buffer().empty());
}

TEST(beyond_the_pool_buffers_have_memory_of_their_own) {
  std::vector<std::unique_ptr<Buffer>> all;
  for (std::size_t at = 0; at < Buffer::kBuffersKept + 50; ++at) {
    all.push_back(std::make_unique<Buffer>());
    all.back()->append(std::to_string(at));
  }
  for (std::size_t at = 0; at < all.size(); ++at) CHECK(all[at]->view() == std::to_string(at));
  all.clear();
  // What the pool keeps, and no more.
  CHECK(live() <= static_cast<std::int64_t>(Buffer::kBuffersKept * (Buffer::kBytesKept + 64)));
}

TEST(parsers_hold_memory_only_while_something_is_unfinished) {
  {
    Buffer one;
    Buffer two;
    one.append("warm");
    two.append("warm");
  }
  const auto idle = live();
  std::vector<std::unique_ptr<mastra::SseParser>> streams;
  Events events;
  for (int at = 0; at < 1000; ++at) {
    streams.push_back(std::make_unique<mastra::SseParser>());
    streams.back()->feed("data: cut in", events);
    streams.back()->feed(" two\ndata: lines\n\n", events);
  }
  CHECK(events.count == 1000);
  CHECK(live() == idle);
  Records seen;
  mastra::RecordParser records('\n');
  records.feed("{\"a\":", seen);
  CHECK(records.incomplete());
  records.feed("1}\n", seen);
  CHECK(seen.count == 1 && live() == idle);
}

TEST(buffers_go_from_thread_to_thread) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      const std::string text(static_cast<std::size_t>(100 + t), static_cast<char>('a' + t));
      for (int round = 0; round < 2000; ++round) {
        Buffer buffer;
        buffer.append(text);
        CHECK(buffer.view() == text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_MAIN()
