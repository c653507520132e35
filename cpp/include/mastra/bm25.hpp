// A full-text index scored by BM25.
//
// Purpose: the lexical half of retrieval. Score of a document for a word of the question:
// idf * tf / (tf + k1 * (1 - b + b * length / average length)), idf = ln(1 + (N - n + 0.5) / (n + 0.5)).
// Documents may be added, replaced and removed at any time; scores are exact at every moment.
// Ownership: the index owns its postings (counted as text memory); it does not keep the texts.
// Thread safety: any number of searches beside each other; a change waits for them and they for it.
// REQUIRES: nothing of the texts; bytes that are not UTF-8 separate words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mastra {

struct Bm25Options {
  float k1 = 1.2F;  // 0..: how soon more of the same word stops to count
  float b = 0.75F;  // 0..1: how much long documents pay
};

struct Bm25Hit {
  std::string id;
  float score;
};

class Bm25Index {
 public:
  explicit Bm25Index(Bm25Options options = {});
  ~Bm25Index();
  Bm25Index(const Bm25Index&) = delete;
  Bm25Index& operator=(const Bm25Index&) = delete;

  // Adds the document, in place of the one with this id if there is one.
  void add(std::string_view id, std::string_view text);
  void add_words(std::string_view id, const std::vector<std::string>& words);
  bool remove(std::string_view id);  // whether it was there
  void clear();

  // The best `k` with a score above 0, best first; equal scores in the order of addition.
  // With `allowed`, only documents it says yes to. REQUIRES: `allowed` does not call the index.
  [[nodiscard]] std::vector<Bm25Hit> search(std::string_view question, std::size_t k,
                                            const std::function<bool(std::string_view)>& allowed = {}) const;
  [[nodiscard]] std::vector<Bm25Hit> search_words(const std::vector<std::string>& words, std::size_t k,
                                                  const std::function<bool(std::string_view)>& allowed = {}) const;

  [[nodiscard]] bool contains(std::string_view id) const;
  [[nodiscard]] std::size_t size() const;        // documents
  [[nodiscard]] std::size_t vocabulary() const;  // different words

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mastra
