#include "mastra/bm25.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "mastra/tokenize.hpp"

using mastra::Bm25Index;

TEST(finds_the_document_that_says_it_best) {
  Bm25Index index;
  index.add("a", "the quick brown fox");
  index.add("b", "a lazy dog, a lazy day");
  index.add("c", "foxes are quick");
  const auto hits = index.search("quick fox", 5);
  CHECK(hits.size() == 2 && hits[0].id == "a" && hits[1].id == "c");
  CHECK(index.search("nothing of it", 5).empty());
  CHECK(index.search("quick", 5, [](std::string_view id) { return id == "c"; }).size() == 1);
}

TEST(replaced_and_removed_documents_are_gone) {
  Bm25Index index;
  for (int i = 0; i < 300; ++i) index.add(std::to_string(i % 100), "word" + std::to_string(i));
  CHECK(index.size() == 100);
  CHECK(index.search("word5", 3).empty());
  CHECK(index.search("word205", 3).size() == 1);
  for (int i = 0; i < 99; ++i) CHECK(index.remove(std::to_string(i)));
  CHECK(!index.remove("0"));
  CHECK(index.search("word299", 3).size() == 1);
}

TEST(searches_beside_changes) {
  Bm25Index index;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        for (const auto& hit : index.search("alpha beta", 5)) {
          if (hit.id.empty()) stop = true;
        }
      }
    });
  }
  for (int i = 0; i < 3'000; ++i) {
    index.add(std::to_string(i % 150), "alpha beta" + std::to_string(i % 9));
    index.remove(std::to_string(i * 7 % 150));
  }
  CHECK(!stop.exchange(true));
  for (std::thread& thread : threads) thread.join();
}

TEST(long_words_and_wrong_bytes_are_cut) {
  const auto words = mastra::words_of(std::string(1000, 'x') + "\xFF\xC3 ok \xE6\x9D");
  CHECK(words.size() == 2 && words[0].size() == mastra::kMostWordBytes && words[1] == "ok");
}

TEST_MAIN()
