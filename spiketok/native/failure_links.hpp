// Leftmost-longest encoding in a time that no vocabulary and no text can stretch: LinMaxMatch (Song
// and others, "Fast WordPiece Tokenization", arXiv 2012.15524) on the trie of trie.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trie.hpp"

namespace spike {

// Where a node's path cannot grow, the tokens that the path certainly begins with are taken off, its
// pops, and what is left leads to the node's failure. A step either reads a byte or takes tokens, so
// there are at most two for a byte.
//
// The pops of a node that ends an entry are that entry. Those of another are its parent's, and then
// those of as many nodes as it takes, beginning with the parent's failure, each the failure of the one
// before, to reach one from which the path grows. So a node needs a number, not a list.
class FailureLinks {
  public:
    explicit FailureLinks(const Trie& trie);

    // Cuts the text at … limit) from the left and calls take(token) for each token until that
    // returns false, at the latest at the limit.
    template <class Take>
    void cut(const std::uint8_t* at, const std::uint8_t* limit, Take take) const {
        std::uint32_t cell = ROOT;
        for (;;) {
            if (cell == ROOT) {
                if (at == limit) return;
                cell = *at++;
            }
            while (at < limit) {
                const std::size_t longer = base(cells_[cell]) + *at;
                if (label(cells_[longer]) != *at) break;
                cell = static_cast<std::uint32_t>(longer);
                ++at;
            }
            if (!pop(links_[cell].pops, take)) return;
            cell = links_[cell].failure;
        }
    }

  private:
    // No node's cell: pops that are a single token are that token plus this number.
    static constexpr std::uint32_t ROOT = 1u << 31, TOKEN = 1u << 31;

    struct Link {
        std::uint32_t failure = ROOT;
        std::uint32_t pops = 0;    // a token, or the node that says how to find them
        std::uint32_t parent = 0;  // of that node
        std::uint32_t more = 0;    // how many nodes' pops follow those of its parent
    };

    // Calls take for each of the pops; false if take did not want more.
    template <class Take>
    bool pop(std::uint32_t pops, Take& take) const {
        if (pops & TOKEN) return take(pops - TOKEN);
        const Link& parent = links_[links_[pops].parent];
        if (!pop(parent.pops, take)) return false;
        std::uint32_t cell = parent.failure;
        for (std::uint32_t more = links_[pops].more; more > 0; --more) {
            if (!pop(links_[cell].pops, take)) return false;
            cell = links_[cell].failure;
        }
        return true;
    }

    void link(std::uint32_t cell, std::uint32_t parent);

    const std::vector<Cell>& cells_;
    std::vector<Link> links_;  // one for each cell
};

}  // namespace spike
