// Storage of n-gram counts: pruning, loading, memory.

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "ngram_counts.hpp"

namespace spike {

void NgramCounts::load(const Ngrams& ngrams) {
    const std::size_t size = ngrams.parents.size();
    if (nodes_.size() != 1 || !history_.empty())
        throw std::invalid_argument("there are counts already");
    if (ngrams.tokens.size() != size || ngrams.counts.size() != size ||
        ngrams.totals.size() != size + 1 || size >= MAX_NGRAMS) {
        throw std::invalid_argument("the arrays of n-grams differ in length");
    }
    std::vector<unsigned char> depths{0};
    std::vector<std::uint64_t> sums(size + 1);
    for (std::size_t i = 0; i < size; ++i) {
        const std::uint32_t parent = ngrams.parents[i], token = ngrams.tokens[i];
        if (parent > i)
            throw std::invalid_argument("the parent of an n-gram does not come before it");
        check_id(token);
        if (depths[parent] > max_context_) throw std::invalid_argument("an n-gram is too long");
        if (ngrams.counts[i] == 0) throw std::invalid_argument("an n-gram has no count");
        if (find(parent, token) != NONE) throw std::invalid_argument("two n-grams are equal");
        make_room(1);
        const unsigned length = depths[parent];
        depths.push_back(static_cast<unsigned char>(length + 1));
        sums[parent] += ngrams.counts[i];
        if (sums[parent] > INT32_MAX) throw std::invalid_argument("counts are too large");
        add(parent, token, ngrams.counts[i], NONE);
        if (ngrams.counts[i] <= 4) ++counts_of_counts_[4 * length + ngrams.counts[i] - 1];
    }
    for (std::size_t i = 0; i <= size; ++i) {
        Node& node = nodes_[i];
        if (ngrams.totals[i] > INT32_MAX || ngrams.totals[i] < node.total) {
            throw std::invalid_argument("a total does not fit the counts");
        }
        // The total of a leaf is not used: it has no followers to discount.
        if (node.total != 0) {
            node.pruned = ngrams.totals[i] - node.total;
            node.total = ngrams.totals[i];
        }
    }
    restart();
}

NgramCounts::PrunedNgrams NgramCounts::pruned(std::uint32_t min_count,
                                              unsigned kept_context) const {
    std::vector<unsigned char> depths(nodes_.size());
    for (std::size_t i = 1; i < nodes_.size(); ++i) depths[i] = depths[nodes_[i].parent] + 1;
    std::vector<std::uint32_t> index(nodes_.size());
    for (std::size_t i = nodes_.size(); i-- > 1;) {
        if (index[i] == 0 && (nodes_[i].count < min_count || depths[i] - 1u > kept_context))
            continue;
        index[i] = index[nodes_[i].parent] = 1;
    }
    PrunedNgrams kept;
    index[0] = 0;
    kept.totals.push_back(nodes_[0].total);
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
        if (index[i] == 0) continue;
        const Node& node = nodes_[i];
        kept.parents.push_back(index[node.parent]);
        kept.tokens.push_back(node.token);
        kept.counts.push_back(node.count);
        kept.totals.push_back(node.total);
        index[i] = static_cast<std::uint32_t>(kept.parents.size());
    }
    return kept;
}

std::size_t NgramCounts::bytes() const {
    return nodes_.capacity() * sizeof(Node) + slots_.capacity() * sizeof(Slot) +
           history_.capacity() * sizeof(std::uint32_t);
}

}  // namespace spike
