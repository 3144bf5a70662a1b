#include "ranked_merges.hpp"

#include <bit>
#include <stdexcept>
#include <string>

namespace spike {
namespace {

constexpr std::size_t MOST_TABLE_IDS = 2048;

}  // namespace

RankedMerges::RankedMerges(std::uint32_t first, std::span<const std::uint32_t> left,
                           std::span<const std::uint32_t> right)
    : first_(first),
      left_(left.begin(), left.end()),
      right_(right.begin(), right.end()),
      ids_(first + left.size()) {
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
    if (ids_ > MOST_TABLE_IDS) return;
    table_.resize(ids_ * ids_);
    for (std::size_t rank = 0; rank < left.size(); ++rank) {
        table_[left[rank] * ids_ + right[rank]] = static_cast<std::uint16_t>(rank + 1);
    }
}

MergeRoom::MergeRoom(const RankedMerges& merges)
    : merges_(merges), items_(merges.size() + 1, Item{0, NONE}), waiting_(merges.size() / 64 + 1) {
    for (std::uint32_t list = 0; list <= merges.size(); ++list) last_.push_back(list);
}

void MergeRoom::apply_all(std::span<const std::uint8_t> row) {
    const auto size = static_cast<std::uint32_t>(row.size());
    if (size == 0) return;
    const std::size_t heads = last_.size();
    if (row.size() > (NONE - heads) / 3) throw std::invalid_argument("a text is too long");
    // A row has fewer pairs than ids, and each merge, of which there are fewer too, makes two.
    if (items_.size() < heads + 3 * row.size()) items_.resize(heads + 3 * row.size());
    if (nodes_.size() < row.size()) nodes_.resize(row.size());
    used_ = static_cast<std::uint32_t>(heads);
    for (std::uint32_t i = 0; i < size; ++i) nodes_[i] = {row[i], i - 1, i + 1};
    nodes_[0].before = nodes_[size - 1].after = NONE;
    for (std::uint32_t i = 1; i < size; ++i) note(i - 1, i);
    waiting_[0] &= ~std::uint64_t{1};
    for (std::size_t word = 0; word < waiting_.size(); ++word) {
        while (waiting_[word] != 0) {
            const auto bit = static_cast<std::size_t>(std::countr_zero(waiting_[word]));
            waiting_[word] &= waiting_[word] - 1;
            if (word + bit != 0) apply(word * 64 + bit - 1);
        }
    }
}

// Puts two neighbours at the end of the list of their merge, or of list 0.
inline void MergeRoom::note(std::uint32_t place, std::uint32_t next) {
    const std::uint32_t list = merges_.rank(nodes_[place].id, nodes_[next].id);
    items_[used_] = {place, NONE};
    items_[last_[list]].next = used_;
    last_[list] = list == 0 ? 0 : used_;
    waiting_[list / 64] |= std::uint64_t{1} << list % 64;
    used_ += list != 0;
}

void MergeRoom::apply(std::size_t rank) {
    const auto made = static_cast<std::uint32_t>(merges_.first() + rank);
    const std::uint32_t left = merges_.left(rank), right = merges_.right(rank);
    for (std::uint32_t i = items_[rank + 1].next; i != NONE; i = items_[i].next) {
        const std::uint32_t place = items_[i].place;
        Node& node = nodes_[place];
        if (node.id != left || node.after == NONE) continue;
        Node& next = nodes_[node.after];
        if (next.id != right) continue;
        next.id = NONE;
        node.id = made;
        node.after = next.after;
        if (node.after != NONE) {
            nodes_[node.after].before = place;
            note(place, node.after);
        }
        if (node.before != NONE) note(node.before, place);
    }
    items_[rank + 1].next = NONE;
    last_[rank + 1] = static_cast<std::uint32_t>(rank + 1);
}

}  // namespace spike
