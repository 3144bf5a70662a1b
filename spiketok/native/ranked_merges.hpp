// Merges applied by rank to a row of ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pair_table.hpp"

namespace spike {

// Merge r joins left[r] and right[r] to the id `first` + r.
class RankedMerges {
  public:
    // Throws std::invalid_argument when a merge joins ids that are not there yet, or what another
    // one joins.
    RankedMerges(std::uint32_t first, std::span<const std::uint32_t> left,
                 std::span<const std::uint32_t> right);

    std::size_t size() const { return left_.size(); }
    std::uint32_t first() const { return first_; }
    std::uint32_t left(std::size_t rank) const { return left_[rank]; }
    std::uint32_t right(std::size_t rank) const { return right_[rank]; }

    // The rank of the merge of two ids, plus one; 0 if there is none.
    std::size_t rank(std::uint32_t left, std::uint32_t right) const {
        return ranks_.get(pair_key(left, right));
    }

  private:
    std::uint32_t first_;
    std::vector<std::uint32_t> left_, right_;
    PairTable ranks_;
};

// Room to merge one row of ids after the other.
//
// The places of each merge are kept in a list. A pair comes to be when its younger id is made, and
// the places of that merge are gone through from left to right: so every list is in order, and a
// merge only adds to lists of later ones. One pass over the lists does all, in time linear in the
// row.
class MergeRoom {
  public:
    explicit MergeRoom(const RankedMerges& merges);

    // Applies every merge, by rising rank, to all its places from left to right without overlap;
    // returns the ids left, valid until the next call.
    std::span<const std::uint32_t> merge(std::span<const std::uint8_t> row);

  private:
    static constexpr std::uint32_t NONE = UINT32_MAX;
    struct Node {
        std::uint32_t id, before, after;
    };
    struct Item {
        std::uint32_t place, next;
    };
    struct List {
        std::uint32_t first = NONE, last = NONE;
    };

    void note(std::uint32_t place, std::uint32_t next);
    void apply(std::size_t rank);

    const RankedMerges& merges_;
    std::vector<Node> nodes_;
    std::vector<Item> items_;
    std::vector<List> lists_;            // by rank
    std::vector<std::uint64_t> waiting_;  // ranks whose lists are not empty, a bit each
    std::vector<std::uint32_t> ids_;
};

}  // namespace spike
