// Leftmost-longest encoding in a time that no vocabulary and no text can stretch: LinMaxMatch (Song
// and others, "Fast WordPiece Tokenization", arXiv 2012.15524) on the trie of trie.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trie.hpp"

namespace spike {

// Where a node's path cannot grow, the tokens that it certainly begins with are taken off, its pops,
// and what is left leads to another node, its failure. A step either reads a byte or takes tokens, so
// there are at most two for a byte.
class FailureLinks {
  public:
    explicit FailureLinks(const Trie& trie);

    // Cuts the text at … limit) from the left and calls take(token) for each token until that
    // returns false, at the latest at the limit.
    template <class Take>
    void cut(const std::uint8_t* at, const std::uint8_t* limit, Take take) const {
        while (at < limit) {
            std::uint32_t cell = *at++;
            while (cell != ROOT) {
                for (; at < limit; ++at) {
                    const std::size_t longer = base(nodes_[cell].cell) + *at;
                    if (label(nodes_[longer].cell) != *at) break;
                    cell = static_cast<std::uint32_t>(longer);
                }
                const Node& node = nodes_[cell];
                for (std::uint32_t i = 0; i < node.count; ++i) {
                    if (!take(pops_[node.pops + i])) return;
                }
                cell = node.failure;
            }
        }
    }

  private:
    // No node has this cell.
    static constexpr std::uint32_t ROOT = MOST_ENTRIES;

    struct Node {
        Cell cell;
        std::uint32_t failure : 24, count : 8;
        std::uint32_t pops;  // the first one's place
    };

    void find_failure(std::uint32_t cell, std::uint32_t parent);
    void share_pops(const std::vector<std::uint32_t>& order, const std::vector<std::uint32_t>& parents);

    std::vector<Node> nodes_;  // one for each cell
    std::vector<std::uint32_t> pops_;
};

}  // namespace spike
