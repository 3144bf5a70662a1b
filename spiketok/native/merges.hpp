// Learns which pairs of tokens to join, one after the other and exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "pair_board.hpp"
#include "pairs.hpp"
#include "texts.hpp"
#include "token_row.hpp"

namespace spike {

struct MergeRules {
    bool by_length;            // a pair's score is its count × its bytes, else its count
    std::uint64_t most_bytes;  // longer pairs are left alone
    unsigned threads = 0;      // 0: one per core; changes no result
    std::size_t listed = 0;    // places noted at a time; 0: a good number; changes no result
    bool first_seen = false;   // ties go to the pair that stands first, and all places are noted
};

// Weighted documents as a row of tokens. `best` finds the pair with the highest score, ties to the
// smallest ids (or `first_seen`); `merge` replaces it everywhere, from left to right, by a new id.
// Counts are those of count_pairs, each occurrence times its document's weight; what counts less
// than 2 is no pair.
//
// The places of the best pairs alone are noted, when the whole row is gone over; then those of
// pairs with a new id, when it is made. All merges together use each place of the text at most
// once, so a dozen times over the row does.
template <class Id>
class Merges {
  public:
    // `lengths` has the bytes of each id; empty `weights` are all 1. Throws std::invalid_argument
    // for numbers that do not fit each other.
    template <class In>
    Merges(const Slices<In>& documents, std::span<const std::int64_t> weights,
           std::span<const std::uint32_t> lengths, const MergeRules& rules);

    // The best pair that was not refused, with its count.
    std::optional<Pair> best();

    // A call that runs out of memory, or of ids, leaves half a change behind: from then on all of
    // these throw std::invalid_argument.

    // Replaces the pair that `best` returned last and returns its new id.
    std::uint32_t merge();

    // Leaves that pair alone for good.
    void refuse();

  private:
    // A number by id, and which ids have one.
    struct Tally {
        void add(Id id, std::uint64_t more);
        void clear(std::size_t size);
        std::vector<std::uint64_t> numbers;
        std::vector<bool> present;
        std::vector<Id> ids;
    };

    std::uint64_t weight_at(Place place) const;
    std::vector<PairBoard::Rank> best_of_part(std::size_t part, std::size_t parts) const;
    void fill_board();
    const ListedPair* find_best();
    Place first_place(const ListedPair& pair) const;
    ListedPair take_best();
    void begin_change();
    void replace(Id left, Id right, Id made, std::vector<Place>& places);
    void note_neighbours(const std::vector<Place>& places, Id made);

    TokenRow<Id> row_;
    std::vector<std::pair<Place, std::uint64_t>> weights_{{0, 1}};  // from a place on
    std::uint64_t weight_ = 0;                                      // of all tokens together
    PairBoard board_;
    MergeRules rules_;
    bool best_is_known_ = false;
    bool is_whole_ = true;  // no change is under way, and none has failed
    // Of the merge under way: how often pairs with a neighbour go and come.
    Tally lost_left_, lost_right_, made_left_, made_right_;
};

}  // namespace spike
