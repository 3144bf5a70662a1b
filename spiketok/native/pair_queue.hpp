// Priority queue of token pairs by score, with their counts and positions.
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

// The slot of a TokenSequence where a token begins.
using Position = std::uint32_t;

struct QueuedPair {
    std::uint64_t key, count;
    std::vector<Position> positions;  // rising; some may be stale: the pair is no longer there
};

// Ranks pairs by score, ties by the smaller key, or by the first position; the score is the count,
// or the count × the bytes of both tokens. Holds all pairs that rank at least as high as a limit.
//
// Claim: `top` returns the pair that a recount of all pairs would rank first, or null.
// Reason: let "rank" be the order above.
//   1. The rank of a pair never rises. A merge replaces tokens by a new id, so it creates pairs
//      with that id alone; every other pair keeps or loses occurrences, and its first position
//      keeps or grows. (A run of n equal tokens counts n / 2 pairs, rounded down, and a merge takes
//      tokens from the ends of a run.)
//   2. So the rank that a heap entry was pushed with is an upper bound of its pair's rank. Where
//      the entry on top is up to date, no pair in the heap ranks higher. Where it is not, it is
//      pushed again with the rank of now (a lazy decrease-key).
//   3. Pairs outside of the queue ranked below the limit when the queue was filled or, for pairs
//      with a new id, when they were offered. By 1 they still do. An entry that falls below the
//      limit is dropped, so whatever `top` returns ranks above all pairs outside.
// When no entry is left, null means: fill the queue again, or, if it was complete, that no pair is
// left. An entry is pushed again only after a merge has lowered the rank of its pair, so stale
// entries cost at most O(log n) for each time that a merge changes a pair.
class PairQueue {
  public:
    // `lengths` are the bytes of each id; pairs with more than `max_token_bytes` are left out.
    PairQueue(std::vector<std::uint64_t> lengths, bool by_length, std::uint64_t max_token_bytes);

    struct Rank {
        std::uint64_t score, key, count;
        bool operator<(const Rank& other) const {  // ranks lower
            return score != other.score ? score < other.score : key > other.key;
        }
    };

    // Appends the pair to `ranks` if it may be merged.
    void rank(std::uint64_t key, std::uint64_t count, std::vector<Rank>& ranks) const;

    // Fills the empty queue with pairs from the front of `ranks`, which are in falling order: at
    // least one, and more while the sum of their counts is at most `max_positions`. `complete`: the
    // ranks are those of all pairs, not only of the highest.
    void fill(std::span<const Rank> ranks, std::uint64_t max_positions, bool complete);

    // Whether no pair is left out for its score.
    bool complete() const { return complete_; }

    // The pair that ranks first, or null when no entry is left.
    const QueuedPair* top() {
        return top([](const QueuedPair&) { return Position{0}; });
    }

    // The same where ties go to the pair with the smallest first_position(pair), which never falls.
    template <class FirstPosition>
    const QueuedPair* top(FirstPosition first_position);

    // Removes and returns the pair that `top` just returned.
    QueuedPair pop();

    // Never queues the pair again.
    void exclude(std::uint64_t key) { excluded_.insert(key); }

    void add_id(std::uint64_t length) { lengths_.push_back(length); }
    std::uint64_t length(std::uint32_t id) const { return lengths_[id]; }

    // Pushes a new pair if it ranks at least as high as the limit.
    void offer(std::uint64_t key, std::uint64_t count);

    // Lowers the count of a pair by `count`, if the pair is queued.
    void decrease_count(std::uint64_t key, std::uint64_t count);

    // Appends a position to a pair, if the pair is queued. Positions must rise.
    void add_position(std::uint64_t key, Position position);

    // How many positions are held.
    std::size_t positions() const { return positions_; }

    // Empties the queue, so that it must be filled again.
    void clear();

  private:
    struct Entry {
        std::uint64_t score, key;  // the score when pushed, an upper bound of that of now
        Position first = 0;        // the first position when pushed, a lower bound of that of now
        std::uint32_t index;       // into pairs_
        bool operator<(const Entry& other) const {
            return std::tie(score, other.first, other.key) < std::tie(other.score, first, key);
        }
    };

    std::uint64_t score(std::uint64_t key, std::uint64_t count) const;
    void push(std::uint64_t key, std::uint64_t count);
    void drop_top();

    std::vector<std::uint64_t> lengths_;
    bool by_length_;
    std::uint64_t max_token_bytes_;
    std::unordered_set<std::uint64_t> excluded_;
    std::vector<QueuedPair> pairs_;
    PairTable index_;  // into pairs_, plus one
    std::vector<Entry> heap_;
    Rank limit_{};
    bool complete_ = false;
    std::size_t positions_ = 0;
};

template <class FirstPosition>
const QueuedPair* PairQueue::top(FirstPosition first_position) {
    while (!heap_.empty()) {
        Entry entry = heap_.front();
        const QueuedPair& pair = pairs_[entry.index];
        const std::uint64_t now = score(pair.key, pair.count);
        if (pair.count < 2 || Rank{now, pair.key, 0} < limit_) {
            drop_top();
            continue;
        }
        const Position first = first_position(pair);
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
