// Leftmost-longest encoding in a time that no vocabulary and no text can stretch: LinMaxMatch (Song
// and others, "Fast WordPiece Tokenization", arXiv 2012.15524) on the trie of trie.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trie.hpp"

namespace spike {

// Where a node's path cannot grow, the tokens that it certainly begins with are taken off, its
// pops, and what is left leads to another node, its failure. A step either reads a byte or takes
// tokens, so there are at most two for a byte.
class FailureLinks {
  public:
    explicit FailureLinks(const Trie& trie);

    // Cuts the text at … limit) from the left and calls take(token) for each token until that
    // returns false, at the latest at the limit.
    template <class Take>
    void cut(const std::uint8_t* at, const std::uint8_t* limit, Take take) const {
        std::uint32_t cell = ROOT, row = 0;
        for (;;) {
            for (; at < limit; ++at) {
                const Node& longer = nodes_[row + *at];
                if (longer.label != *at) break;
                cell = row + *at;
                row = longer.base;
            }
            // At the root every byte fits, so this is the limit.
            if (cell == ROOT) return;
            const Node& node = nodes_[cell];
            for (std::uint32_t i = 0; i < node.count; ++i) {
                if (!take(pops_[node.pops + i])) return;
            }
            cell = node.failure;
            row = node.failure_base;
        }
    }

  private:
    // No node has this cell; the root's base is 0.
    static constexpr std::uint32_t ROOT = MOST_ENTRIES;

    // All that a step asks in one place: failing, it goes on from the failure's base at once.
    struct Node {
        std::uint32_t base : 24, label : 8;  // as in its cell of the trie
        std::uint32_t failure : 24, count : 8;
        std::uint32_t failure_base;
        std::uint32_t pops;  // the first one's place; there are `count`
    };

    using Numbers = std::vector<std::uint32_t>;

    void find_failure(Node& node, const Node& parent);
    void share_pops(const std::vector<Cell>& cells, const Numbers& order, const Numbers& parents);

    std::vector<Node> nodes_;  // one for each cell
    Numbers pops_;
};

}  // namespace spike
