// Counts that are taken over from stored ones, and those that are kept to be stored.

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "context_counts.hpp"

namespace spike {

void ContextCounts::load(const Strings& strings) {
    const std::size_t size = strings.parents.size();
    if (nodes_.size() != 1 || !row_.empty())
        throw std::invalid_argument("there are counts already");
    if (strings.tokens.size() != size || strings.counts.size() != size ||
        strings.totals.size() != size + 1 || size >= MOST_STRINGS) {
        throw std::invalid_argument("the strings' parts differ in length");
    }
    std::vector<unsigned char> depths{0};
    std::vector<std::uint64_t> sums(size + 1);
    for (std::size_t i = 0; i < size; ++i) {
        const std::uint32_t parent = strings.parents[i], token = strings.tokens[i];
        if (parent > i) throw std::invalid_argument("a string's parent does not stand before it");
        check_id(token);
        if (depths[parent] > longest_) throw std::invalid_argument("a string is too long");
        if (strings.counts[i] == 0) throw std::invalid_argument("a string counts nothing");
        if (find(parent, token) != NONE) throw std::invalid_argument("a string is there twice");
        make_room(1);
        const unsigned length = depths[parent];
        depths.push_back(static_cast<unsigned char>(length + 1));
        sums[parent] += strings.counts[i];
        if (sums[parent] > INT32_MAX) throw std::invalid_argument("counts are too large");
        add(parent, token, strings.counts[i], NONE);
        if (strings.counts[i] <= 4) ++frequencies_[4 * length + strings.counts[i] - 1];
    }
    for (std::size_t i = 0; i <= size; ++i) {
        Node& node = nodes_[i];
        if (strings.totals[i] > INT32_MAX || strings.totals[i] < node.total) {
            throw std::invalid_argument("a total does not fit the counts");
        }
        // Totals without children say nothing.
        if (node.total != 0) {
            node.pruned = strings.totals[i] - node.total;
            node.total = strings.totals[i];
        }
    }
    restart();
}

ContextCounts::Kept ContextCounts::keep(std::uint32_t fewest, unsigned longest_kept) const {
    std::vector<unsigned char> depths(nodes_.size());
    for (std::size_t i = 1; i < nodes_.size(); ++i) depths[i] = depths[nodes_[i].parent] + 1;
    std::vector<std::uint32_t> number(nodes_.size());
    for (std::size_t i = nodes_.size(); i-- > 1;) {
        if (number[i] == 0 && (nodes_[i].count < fewest || depths[i] - 1u > longest_kept)) continue;
        number[i] = number[nodes_[i].parent] = 1;
    }
    Kept kept;
    number[0] = 0;
    kept.totals.push_back(nodes_[0].total);
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
        if (number[i] == 0) continue;
        const Node& node = nodes_[i];
        kept.parents.push_back(number[node.parent]);
        kept.tokens.push_back(node.token);
        kept.counts.push_back(node.count);
        kept.totals.push_back(node.total);
        number[i] = static_cast<std::uint32_t>(kept.parents.size());
    }
    return kept;
}

}  // namespace spike
