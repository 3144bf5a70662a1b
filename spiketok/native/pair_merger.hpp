// Byte-pair encoding trainer: merges the best pair of adjacent tokens, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "pair_queue.hpp"
#include "pairs.hpp"
#include "texts.hpp"
#include "token_sequence.hpp"

namespace spike {

struct MergeOptions {
    bool by_length;                 // the score is count × bytes, else the count
    std::uint64_t max_token_bytes;  // longer pairs are not merged
    unsigned threads = 0;           // 0: one per core; changes no result
    // Positions held at a time; 0: a default; changes no result.
    std::size_t max_positions = 0;
    // Ties go to the pair that occurs first; then all positions are held.
    bool first_seen = false;
};

// Weighted documents as one token sequence. `best` finds the pair with the highest score, ties to
// the smallest ids (or `first_seen`); `merge` replaces it everywhere, from left to right, by a new
// id. Counts are those of count_pairs, each occurrence times its document's weight; pairs that
// count less than 2 are never merged.
//
// Claim: the merges equal those of a trainer that counts all pairs again before each merge.
// Reason: the queue returns the best pair as long as its counts are exact (pair_queue.hpp), and
// `replace` updates every count that a merge changes. These are the pairs of a token with a
// neighbour that is merged: (x, left) and (right, y) lose occurrences, (x, new) and (new, y) gain
// them. Equal tokens side by side need care, since a run of n of them counts n / 2 pairs, rounded
// down: taking one token from an end loses a pair exactly where n is even.
// Bound: only positions of the best pairs are held, from a pass over the whole sequence; a merge
// adds those of pairs with its new id. A merge looks at the held positions of its pair alone, and
// removes one token at each where the pair still is, so all merges together remove fewer tokens
// than the text has. Passes are needed when the queue is empty or holds more than 2 ×
// `max_positions`: about a dozen times for 16,000 merges of 47 MB.
template <class Id>
class PairMerger {
  public:
    // `lengths` has the bytes of each id; empty `weights` are all 1. Throws std::invalid_argument
    // for numbers that do not fit each other.
    template <class In>
    PairMerger(const Slices<In>& documents, std::span<const std::int64_t> weights,
               std::span<const std::uint32_t> lengths, const MergeOptions& options);

    // The best pair that was not excluded, with its count.
    std::optional<Pair> best();

    // After a call that ran out of memory, or of ids, in the middle of an update all of these throw
    // std::invalid_argument.

    // Replaces the pair that `best` returned last and returns its new id.
    std::uint32_t merge();

    // Never returns that pair again.
    void exclude();

  private:
    // Sums by id, and the list of ids that have one.
    struct Tally {
        void add(Id id, std::uint64_t more);
        void clear(std::size_t size);
        std::vector<std::uint64_t> numbers;
        std::vector<bool> present;
        std::vector<Id> ids;
    };

    std::uint64_t weight_at(Position position) const;
    std::vector<PairQueue::Rank> top_of_partition(std::size_t part, std::size_t parts) const;
    void fill_queue();
    const QueuedPair* find_top();
    Position first_position(const QueuedPair& pair) const;
    QueuedPair pop();
    void begin_update();
    void replace(Id left, Id right, Id merged, std::vector<Position>& positions);
    void add_neighbour_positions(const std::vector<Position>& positions, Id merged);

    TokenSequence<Id> sequence_;
    std::vector<std::pair<Position, std::uint64_t>> weights_{{0, 1}};  // from this position on
    std::uint64_t weight_ = 0;                                         // sum over all tokens
    PairQueue queue_;
    MergeOptions options_;
    bool best_is_known_ = false;
    bool is_consistent_ = true;  // no update is under way, and none has failed
    // Changes of counts by the merge under way: of (id, left), (right, id), (id, new), (new, id).
    Tally lost_left_, lost_right_, gained_left_, gained_right_;
};

}  // namespace spike
