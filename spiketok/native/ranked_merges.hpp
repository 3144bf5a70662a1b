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
    std::uint32_t rank(std::uint32_t left, std::uint32_t right) const {
        if (!table_.empty()) return table_[left * ids_ + right];
        return static_cast<std::uint32_t>(ranks_.get(pair_key(left, right)));
    }

  private:
    std::uint32_t first_;
    std::vector<std::uint32_t> left_, right_;
    PairTable ranks_;
    std::size_t ids_;
    std::vector<std::uint16_t> table_;  // the same for few ids, by left × ids + right
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

    // Applies every merge, by rising rank, to all its places from left to right without overlap,
    // and calls put(id) for each id that is left.
    template <class Put>
    void merge(std::span<const std::uint8_t> row, Put put) {
        apply_all(row);
        for (std::uint32_t i = row.empty() ? NONE : 0; i != NONE; i = nodes_[i].after) {
            put(nodes_[i].id);
        }
    }

  private:
    static constexpr std::uint32_t NONE = UINT32_MAX;
    struct Node {
        std::uint32_t id, before, after;
    };
    struct Item {
        std::uint32_t place, next;
    };

    void apply_all(std::span<const std::uint8_t> row);
    void note(std::uint32_t place, std::uint32_t next);
    void apply(std::size_t rank);

    const RankedMerges& merges_;
    std::vector<Node> nodes_;
    // Lists by rank plus one: item r is the head of list r, last_[r] its last item. List 0 takes
    // the pairs that have no merge, so that adding to a list needs no branch; it is never read.
    std::vector<Item> items_;
    std::vector<std::uint32_t> last_;
    std::uint32_t used_ = 0;
    std::vector<std::uint64_t> waiting_;  // lists that are not empty, a bit each
};

}  // namespace spike
