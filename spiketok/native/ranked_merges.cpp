#include "ranked_merges.hpp"

#include <bit>
#include <stdexcept>
#include <string>

namespace spike {
namespace {

constexpr std::size_t MAX_TABLE_IDS = 2048;

}  // namespace

RankedMerges::RankedMerges(std::uint32_t first, std::span<const std::uint32_t> left,
                           std::span<const std::uint32_t> right)
    : first_(first),
      left_(left.begin(), left.end()),
      right_(right.begin(), right.end()),
      id_count_(first + left.size()) {
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
    if (id_count_ > MAX_TABLE_IDS) return;
    table_.resize(id_count_ * id_count_);
    for (std::size_t rank = 0; rank < left.size(); ++rank) {
        table_[left[rank] * id_count_ + right[rank]] = static_cast<std::uint16_t>(rank + 1);
    }
}

MergeWorkspace::MergeWorkspace(const RankedMerges& merges)
    : merges_(merges), items_(merges.size() + 1, Item{0, NONE}), nonempty_(merges.size() / 64 + 1) {
    for (std::uint32_t list = 0; list <= merges.size(); ++list) last_.push_back(list);
}

void MergeWorkspace::apply_all(std::span<const std::uint8_t> ids) {
    const auto size = static_cast<std::uint32_t>(ids.size());
    if (size == 0) return;
    const std::size_t heads = last_.size();
    if (ids.size() > (NONE - heads) / 3) throw std::invalid_argument("a text is too long");
    // Fewer than n pairs at first, and two more for each of fewer than n merges.
    if (items_.size() < heads + 3 * ids.size()) items_.resize(heads + 3 * ids.size());
    if (nodes_.size() < ids.size()) nodes_.resize(ids.size());
    used_ = static_cast<std::uint32_t>(heads);
    for (std::uint32_t i = 0; i < size; ++i) nodes_[i] = {ids[i], i - 1, i + 1};
    nodes_[0].previous = nodes_[size - 1].next = NONE;
    for (std::uint32_t i = 1; i < size; ++i) append(i - 1, i);
    nonempty_[0] &= ~std::uint64_t{1};
    for (std::size_t word = 0; word < nonempty_.size(); ++word) {
        while (nonempty_[word] != 0) {
            const auto bit = static_cast<std::size_t>(std::countr_zero(nonempty_[word]));
            nonempty_[word] &= nonempty_[word] - 1;
            if (word + bit != 0) apply(word * 64 + bit - 1);
        }
    }
}

// Appends the pair at `position` to the list of its merge, or to list 0.
inline void MergeWorkspace::append(std::uint32_t position, std::uint32_t next) {
    const std::uint32_t list = merges_.rank(nodes_[position].id, nodes_[next].id);
    items_[used_] = {position, NONE};
    items_[last_[list]].next = used_;
    last_[list] = list == 0 ? 0 : used_;
    nonempty_[list / 64] |= std::uint64_t{1} << list % 64;
    used_ += list != 0;
}

void MergeWorkspace::apply(std::size_t rank) {
    const auto merged = static_cast<std::uint32_t>(merges_.first() + rank);
    const std::uint32_t left = merges_.left(rank), right = merges_.right(rank);
    for (std::uint32_t i = items_[rank + 1].next; i != NONE; i = items_[i].next) {
        const std::uint32_t position = items_[i].position;
        Node& node = nodes_[position];
        if (node.id != left || node.next == NONE) continue;
        Node& next = nodes_[node.next];
        if (next.id != right) continue;
        next.id = NONE;
        node.id = merged;
        node.next = next.next;
        if (node.next != NONE) {
            nodes_[node.next].previous = position;
            append(position, node.next);
        }
        if (node.previous != NONE) append(node.previous, position);
    }
    items_[rank + 1].next = NONE;
    last_[rank + 1] = static_cast<std::uint32_t>(rank + 1);
}

}  // namespace spike
