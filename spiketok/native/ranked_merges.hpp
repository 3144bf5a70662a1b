// BPE encoding: merges applied by rank to a sequence of ids.
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
    // Throws std::invalid_argument when a merge joins ids that do not exist yet, or a pair that
    // another one joins.
    RankedMerges(std::uint32_t first, std::span<const std::uint32_t> left,
                 std::span<const std::uint32_t> right);

    std::size_t size() const { return left_.size(); }
    std::uint32_t first() const { return first_; }
    std::uint32_t left(std::size_t rank) const { return left_[rank]; }
    std::uint32_t right(std::size_t rank) const { return right_[rank]; }

    // The rank of the merge of two ids, plus one; 0 if there is none.
    std::uint32_t rank(std::uint32_t left, std::uint32_t right) const {
        if (!table_.empty()) return table_[left * id_count_ + right];
        return static_cast<std::uint32_t>(ranks_.get(pair_key(left, right)));
    }

  private:
    std::uint32_t first_;
    std::vector<std::uint32_t> left_, right_;
    PairTable ranks_;
    std::size_t id_count_;
    std::vector<std::uint16_t> table_;  // ranks for few ids: [left × ids + right]
};

// Workspace that merges one sequence of ids after the other, in linear time.
//
// Each merge has a list of the positions where its pair occurs.
// Claim: one pass over the lists by rising rank equals applying each merge in turn, from left to
// right without overlap, to a linked list of the ids.
// Reason: a pair first occurs when its younger id is made. That id has its own rank, below that of
// the pair's merge, since a merge joins ids that exist (RankedMerges checks it). So all of a list
// is appended either at the start or while one earlier list is processed, both from left to right:
// every list is in order, and complete before its turn. A stale position no longer has the pair and
// is skipped, and so is the second of two that overlap, for the first merge changed its id.
// Bound: n ids have n - 1 pairs, and each of at most n - 1 merges appends two more: fewer than 3n
// items in all, each processed once.
class MergeWorkspace {
  public:
    explicit MergeWorkspace(const RankedMerges& merges);

    // Applies every merge, by rising rank, to all its positions from left to right without overlap,
    // and calls put(id) for each id that is left.
    template <class Put>
    void merge(std::span<const std::uint8_t> ids, Put put) {
        apply_all(ids);
        for (std::uint32_t i = ids.empty() ? NONE : 0; i != NONE; i = nodes_[i].next) {
            put(nodes_[i].id);
        }
    }

  private:
    static constexpr std::uint32_t NONE = UINT32_MAX;
    struct Node {
        std::uint32_t id, previous, next;
    };
    struct Item {
        std::uint32_t position, next;
    };

    void apply_all(std::span<const std::uint8_t> ids);
    void append(std::uint32_t position, std::uint32_t next);
    void apply(std::size_t rank);

    const RankedMerges& merges_;
    std::vector<Node> nodes_;
    // Lists by rank plus one: item r is the head of list r, last_[r] its last item. List 0 takes
    // the pairs that have no merge, so that appending needs no branch; it is never read.
    std::vector<Item> items_;
    std::vector<std::uint32_t> last_;
    std::uint32_t used_ = 0;
    std::vector<std::uint64_t> nonempty_;  // a bit for each list that is not empty
};

}  // namespace spike
