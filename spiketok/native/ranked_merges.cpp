#include "ranked_merges.hpp"

#include <bit>
#include <stdexcept>
#include <string>

namespace spike {

RankedMerges::RankedMerges(std::uint32_t first, std::span<const std::uint32_t> left,
                           std::span<const std::uint32_t> right)
    : first_(first), left_(left.begin(), left.end()), right_(right.begin(), right.end()) {
    if (left.size() != right.size()) throw std::invalid_argument("a merge has two ids");
    for (std::size_t rank = 0; rank < left.size(); ++rank) {
        if (left[rank] >= first + rank || right[rank] >= first + rank) {
            throw std::invalid_argument("merge " + std::to_string(rank) + " joins later ids");
        }
        if (this->rank(left[rank], right[rank]) != 0) {
            throw std::invalid_argument("merge " + std::to_string(rank) + " is there twice");
        }
        ranks_.add(pair_key(left[rank], right[rank]), rank + 1);
    }
}

MergeRoom::MergeRoom(const RankedMerges& merges)
    : merges_(merges), lists_(merges.size()), waiting_(merges.size() / 64 + 1) {}

std::span<const std::uint32_t> MergeRoom::merge(std::span<const std::uint8_t> row) {
    const auto size = static_cast<std::uint32_t>(row.size());
    nodes_.resize(size);
    items_.clear();
    ids_.clear();
    for (std::uint32_t i = 0; i < size; ++i) {
        nodes_[i] = {row[i], i == 0 ? NONE : i - 1, i + 1 == size ? NONE : i + 1};
    }
    for (std::uint32_t i = 1; i < size; ++i) note(i - 1, i);
    for (std::size_t word = 0; word < waiting_.size(); ++word) {
        while (waiting_[word] != 0) {
            const auto bit = static_cast<std::size_t>(std::countr_zero(waiting_[word]));
            waiting_[word] &= waiting_[word] - 1;
            apply(word * 64 + bit);
        }
    }
    for (std::uint32_t i = size == 0 ? NONE : 0; i != NONE; i = nodes_[i].after) {
        ids_.push_back(nodes_[i].id);
    }
    return ids_;
}

// Puts two neighbours at the end of the list of their merge, if there is one.
void MergeRoom::note(std::uint32_t place, std::uint32_t next) {
    const std::size_t rank = merges_.rank(nodes_[place].id, nodes_[next].id);
    if (rank == 0) return;
    List& list = lists_[rank - 1];
    const auto item = static_cast<std::uint32_t>(items_.size());
    items_.push_back({place, NONE});
    if (list.first == NONE) {
        list.first = item;
        waiting_[(rank - 1) / 64] |= std::uint64_t{1} << (rank - 1) % 64;
    } else {
        items_[list.last].next = item;
    }
    list.last = item;
}

void MergeRoom::apply(std::size_t rank) {
    const auto made = static_cast<std::uint32_t>(merges_.first() + rank);
    for (std::uint32_t i = lists_[rank].first; i != NONE; i = items_[i].next) {
        const std::uint32_t place = items_[i].place;
        Node& node = nodes_[place];
        if (node.id != merges_.left(rank) || node.after == NONE) continue;
        Node& next = nodes_[node.after];
        if (next.id != merges_.right(rank)) continue;
        next.id = NONE;
        node.id = made;
        node.after = next.after;
        if (node.after != NONE) nodes_[node.after].before = place;
        if (node.before != NONE) note(node.before, place);
        if (node.after != NONE) note(place, node.after);
    }
    lists_[rank] = {};
}

}  // namespace spike
