#include "mastra/bm25.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

#include "mastra/error.hpp"
#include "mastra/memory.hpp"
#include "mastra/tokenize.hpp"

namespace mastra {
namespace {

template <typename T>
using Counted = std::vector<T, CountingAllocator<T, MemoryCategory::kText>>;

struct Posting {
  std::uint32_t document;
  float count;
};

struct Word {
  Counted<Posting> postings;  // by document number, rising; removed documents stay until the next sweep
  std::uint32_t documents = 0;  // living ones
};

struct Document {
  std::string id;
  Counted<std::uint32_t> words;  // different ones, to take the document out again
};

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

using Names = std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>>;

// Removed documents are swept out when they are this share of all.
constexpr std::size_t kSweepShare = 4;
// A question whose words have more postings than this share of the documents looks at every document.
constexpr std::size_t kDenseShare = 4;
constexpr float kGone = -1.0F;

struct Candidate {
  float score;
  std::uint32_t document;
  // Better first; among equals the older document.
  bool operator<(const Candidate& other) const noexcept {
    return score != other.score ? score > other.score : document < other.document;
  }
};

}  // namespace

struct Bm25Index::State {
  Bm25Options options;
  mutable std::shared_mutex mutex;
  Names words;
  std::vector<Word> lists;
  Names ids;
  std::vector<Document> documents;
  std::vector<float> lengths;  // of each document, in words; kGone for a removed one
  double total_length = 0;
  std::size_t alive = 0;

  void add(std::string_view id, const std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>>& counts, std::size_t length) {
    const std::unique_lock lock(mutex);
    remove_locked(id);
    if (documents.size() >= 0xFFFFFFFFU) throw Error(ErrorCode::kLimit, "a text index holds at most 4294967295 documents");
    const auto number = static_cast<std::uint32_t>(documents.size());
    Document document;
    document.id = id;
    document.words.reserve(counts.size());
    for (const auto& [word, count] : counts) {
      const auto [at, is_new] = words.try_emplace(word, static_cast<std::uint32_t>(lists.size()));
      if (is_new) lists.emplace_back();
      Word& list = lists[at->second];
      list.postings.push_back({number, static_cast<float>(count)});
      ++list.documents;
      document.words.push_back(at->second);
    }
    ids.emplace(document.id, number);
    documents.push_back(std::move(document));
    lengths.push_back(static_cast<float>(length));
    total_length += static_cast<double>(length);
    ++alive;
  }

  bool remove_locked(std::string_view id) {
    const auto at = ids.find(id);
    if (at == ids.end()) return false;
    Document& document = documents[at->second];
    for (const std::uint32_t word : document.words) --lists[word].documents;
    total_length -= static_cast<double>(lengths[at->second]);
    lengths[at->second] = kGone;
    document.words = {};
    ids.erase(at);
    --alive;
    if (documents.size() > 64 && (documents.size() - alive) * kSweepShare > documents.size()) sweep();
    return true;
  }

  // Gives the living documents new numbers and drops postings and words that nobody has.
  void sweep() {
    std::vector<std::uint32_t> renumbered(documents.size());
    std::vector<Document> kept;
    std::vector<float> lengths_kept;
    kept.reserve(alive);
    for (std::size_t at = 0; at < documents.size(); ++at) {
      if (lengths[at] == kGone) continue;
      renumbered[at] = static_cast<std::uint32_t>(kept.size());
      ids[documents[at].id] = renumbered[at];
      kept.push_back(std::move(documents[at]));
      lengths_kept.push_back(lengths[at]);
    }
    std::vector<std::uint32_t> new_word(lists.size());
    std::vector<Word> lists_kept;
    for (auto at = words.begin(); at != words.end();) {
      Word& list = lists[at->second];
      if (list.documents == 0) {
        at = words.erase(at);
        continue;
      }
      Counted<Posting> postings;
      postings.reserve(list.documents);
      for (const Posting& posting : list.postings) {
        if (lengths[posting.document] != kGone) postings.push_back({renumbered[posting.document], posting.count});
      }
      list.postings = std::move(postings);
      new_word[at->second] = static_cast<std::uint32_t>(lists_kept.size());
      at->second = new_word[at->second];
      lists_kept.push_back(std::move(list));
      ++at;
    }
    for (Document& document : kept) {
      for (std::uint32_t& word : document.words) word = new_word[word];
    }
    lists = std::move(lists_kept);
    documents = std::move(kept);
    lengths = std::move(lengths_kept);
  }

  // REQUIRES: the lock, shared. Words of the question that come twice count twice.
  std::vector<Bm25Hit> search(const std::vector<std::pair<std::uint32_t, float>>& asked, std::size_t k,
                              const std::function<bool(std::string_view)>& allowed) const {
    if (alive == 0 || k == 0) return {};
    thread_local std::vector<float> scores;  // all zero between searches
    if (scores.size() < documents.size()) scores.resize(documents.size());
    std::size_t postings = 0;
    for (const auto& [word, weight] : asked) postings += lists[word].postings.size();
    std::vector<std::uint32_t> touched;
    try {
      // Words that are in many documents: looking at every sum in order is quicker than keeping a list of those touched.
      if (postings * kDenseShare > documents.size()) {
        score<false>(asked, scores, touched);
        return best_of_all(scores, k, allowed);
      }
      score<true>(asked, scores, touched);
      return best(touched, scores, k, allowed);
    } catch (...) {
      std::fill(scores.begin(), scores.end(), 0.0F);
      throw;
    }
  }

  template <bool Listed>
  void score(const std::vector<std::pair<std::uint32_t, float>>& asked, std::vector<float>& scores,
             std::vector<std::uint32_t>& touched) const {
    const auto average = static_cast<float>(total_length / static_cast<double>(alive));
    const float per_length = average > 0 ? options.k1 * options.b / average : 0.0F;
    const float base = options.k1 * (1 - options.b);
    for (const auto& [word, weight] : asked) {
      const Word& list = lists[word];
      if (list.documents == 0) continue;
      const auto n = static_cast<double>(list.documents);
      const auto idf = static_cast<float>(std::log(1.0 + (static_cast<double>(alive) - n + 0.5) / (n + 0.5))) * weight;
      for (const Posting& posting : list.postings) {
        const float length = lengths[posting.document];
        if (length == kGone) continue;
        float& sum = scores[posting.document];
        if constexpr (Listed) {
          if (sum == 0.0F) touched.push_back(posting.document);
        }
        sum += idf * posting.count / (posting.count + base + per_length * length);
      }
    }
  }

  std::vector<Bm25Hit> best(const std::vector<std::uint32_t>& touched, std::vector<float>& scores, std::size_t k,
                            const std::function<bool(std::string_view)>& allowed) const {
    std::vector<Candidate> heap;  // the worst of the best is in front
    heap.reserve(std::min(k, touched.size()) + 1);
    for (const std::uint32_t number : touched) offer(heap, {std::exchange(scores[number], 0.0F), number}, k, allowed);
    return hits_of(heap);
  }

  std::vector<Bm25Hit> best_of_all(std::vector<float>& scores, std::size_t k,
                                   const std::function<bool(std::string_view)>& allowed) const {
    std::vector<Candidate> heap;
    heap.reserve(std::min(k, documents.size()) + 1);
    for (std::uint32_t number = 0; number < documents.size(); ++number) {
      if (scores[number] == 0.0F || (heap.size() == k && scores[number] < heap.front().score)) continue;
      offer(heap, {scores[number], number}, k, allowed);
    }
    std::fill_n(scores.begin(), documents.size(), 0.0F);
    return hits_of(heap);
  }

  void offer(std::vector<Candidate>& heap, const Candidate& candidate, std::size_t k,
             const std::function<bool(std::string_view)>& allowed) const {
    if (heap.size() == k && !(candidate < heap.front())) return;
    if (allowed && !allowed(documents[candidate.document].id)) return;
    if (heap.size() == k) {
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
    }
    heap.push_back(candidate);
    std::push_heap(heap.begin(), heap.end());
  }

  std::vector<Bm25Hit> hits_of(std::vector<Candidate>& heap) const {
    std::sort_heap(heap.begin(), heap.end());
    std::vector<Bm25Hit> hits;
    hits.reserve(heap.size());
    for (const Candidate& each : heap) hits.push_back({documents[each.document].id, each.score});
    return hits;
  }
};

namespace {

using Counts = std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>>;

struct Count final : WordSink {
  Counts counts;
  std::size_t length = 0;
  void on_word(std::string_view word) override {
    ++length;
    const auto at = counts.find(word);
    if (at == counts.end()) {
      counts.emplace(word, 1U);
    } else {
      ++at->second;
    }
  }
};

}  // namespace

Bm25Index::Bm25Index(Bm25Options options) : state_(std::make_unique<State>()) {
  if (!(options.k1 >= 0) || !(options.b >= 0 && options.b <= 1) || std::isinf(options.k1)) {
    throw Error(ErrorCode::kInvalidArgument, "k1 must be at least 0 and b lie in 0..1");
  }
  state_->options = options;
}

Bm25Index::~Bm25Index() = default;

void Bm25Index::add(std::string_view id, std::string_view text) {
  Count count;
  tokenize(text, count);
  state_->add(id, count.counts, count.length);
}

void Bm25Index::add_words(std::string_view id, const std::vector<std::string>& words) {
  Count count;
  for (const std::string& word : words) count.on_word(word);
  state_->add(id, count.counts, count.length);
}

bool Bm25Index::remove(std::string_view id) {
  const std::unique_lock lock(state_->mutex);
  return state_->remove_locked(id);
}

void Bm25Index::clear() {
  const std::unique_lock lock(state_->mutex);
  state_->words.clear();
  state_->lists.clear();
  state_->ids.clear();
  state_->documents.clear();
  state_->lengths.clear();
  state_->total_length = 0;
  state_->alive = 0;
}

std::vector<Bm25Hit> Bm25Index::search(std::string_view question, std::size_t k,
                                       const std::function<bool(std::string_view)>& allowed) const {
  return search_words(words_of(question), k, allowed);
}

std::vector<Bm25Hit> Bm25Index::search_words(const std::vector<std::string>& words, std::size_t k,
                                             const std::function<bool(std::string_view)>& allowed) const {
  const std::shared_lock lock(state_->mutex);
  std::vector<std::pair<std::uint32_t, float>> asked;
  for (const std::string& word : words) {
    const auto at = state_->words.find(word);
    if (at == state_->words.end()) continue;
    const auto same = std::find_if(asked.begin(), asked.end(), [&](const auto& each) { return each.first == at->second; });
    if (same == asked.end()) {
      asked.emplace_back(at->second, 1.0F);
    } else {
      same->second += 1.0F;
    }
  }
  return state_->search(asked, k, allowed);
}

bool Bm25Index::contains(std::string_view id) const {
  const std::shared_lock lock(state_->mutex);
  return state_->ids.find(id) != state_->ids.end();
}

std::size_t Bm25Index::size() const {
  const std::shared_lock lock(state_->mutex);
  return state_->alive;
}

std::size_t Bm25Index::vocabulary() const {
  const std::shared_lock lock(state_->mutex);
  return state_->words.size();
}

}  // namespace mastra
