// The best pairs of tokens, their counts, and the places where they stand.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "pair_table.hpp"

namespace spike {

// Where a token begins.
using Place = std::uint32_t;

struct ListedPair {
    std::uint64_t key, count;
    std::vector<Place> places;  // rising; the pair may be gone from some
};

// Ranks pairs by score, ties by the smaller key, or by the first place where they stand; score is
// the count, or the count × the bytes of both tokens. It holds all pairs down to a limit in that
// order. A count never grows, so the best pair is certain until no score is as good as the limit;
// then the board must be filled again.
class PairBoard {
  public:
    // `lengths` are the bytes of each id; pairs with more than `most_bytes` are left out.
    PairBoard(std::vector<std::uint64_t> lengths, bool by_length, std::uint64_t most_bytes);

    struct Rank {
        std::uint64_t score, key, count;
        bool operator<(const Rank& other) const {  // is worse
            return score != other.score ? score < other.score : key > other.key;
        }
    };

    // Appends the pair to `ranks` if it may be joined.
    void rank(std::uint64_t key, std::uint64_t count, std::vector<Rank>& ranks) const;

    // Lists pairs on the empty board, the best first, at least one, while their counts together are
    // at most `room`. With `complete` the ranks are those of all pairs, not just of the best.
    void fill(std::span<const Rank> ranks, std::uint64_t room, bool complete);

    // Whether nothing is left out for its score.
    bool complete() const { return complete_; }

    // The best pair, or null when the board must be filled again.
    const ListedPair* best() {
        return best([](const ListedPair&) { return Place{0}; });
    }

    // The same where ties go to the pair with the smallest first_place(pair), which never falls.
    template <class FirstPlace>
    const ListedPair* best(FirstPlace first_place);

    // Removes the pair that `best` just returned.
    ListedPair take_best();

    // Never lists the pair again.
    void refuse(std::uint64_t key) { refused_.insert(key); }

    void add_id(std::uint64_t length) { lengths_.push_back(length); }
    std::uint64_t length(std::uint32_t id) const { return lengths_[id]; }

    // Takes a new pair in if it is as good as the limit.
    void offer(std::uint64_t key, std::uint64_t count);

    // Lowers the count of a pair, if it is listed.
    void lose(std::uint64_t key, std::uint64_t count);

    // Notes a place of a pair, if it is listed. Places must rise.
    void note(std::uint64_t key, Place place);

    // How many places are noted.
    std::size_t size() const { return size_; }

    // Forgets all, so that it must be filled again.
    void clear();

  private:
    struct Entry {
        std::uint64_t score, key;  // the score when it was entered; it may have fallen
        Place first = 0;           // where the pair stood first; it may have gone there
        std::uint32_t listed;
        bool operator<(const Entry& other) const {
            return std::tie(score, other.first, other.key) < std::tie(other.score, first, key);
        }
    };

    std::uint64_t score(std::uint64_t key, std::uint64_t count) const;
    void enter(std::uint64_t key, std::uint64_t count);
    void drop_first();

    std::vector<std::uint64_t> lengths_;
    bool by_length_;
    std::uint64_t most_bytes_;
    std::unordered_set<std::uint64_t> refused_;
    std::vector<ListedPair> pairs_;
    PairTable index_;  // into pairs_, plus one
    std::vector<Entry> heap_;
    Rank limit_{};
    bool complete_ = false;
    std::size_t size_ = 0;
};

template <class FirstPlace>
const ListedPair* PairBoard::best(FirstPlace first_place) {
    while (!heap_.empty()) {
        Entry entry = heap_.front();
        const ListedPair& pair = pairs_[entry.listed];
        const std::uint64_t now = score(pair.key, pair.count);
        if (pair.count < 2 || Rank{now, pair.key, 0} < limit_) {
            drop_first();
            continue;
        }
        const Place first = first_place(pair);
        if (now == entry.score && first == entry.first) return &pair;
        entry.score = now;
        entry.first = first;
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.back() = entry;
        std::push_heap(heap_.begin(), heap_.end());
    }
    return nullptr;
}

}  // namespace spike
