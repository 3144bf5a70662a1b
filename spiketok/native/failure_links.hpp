// Failure links: longest-match encoding in linear time for any vocabulary and text, LinMaxMatch
// (Song et al., "Fast WordPiece Tokenization", arXiv 2012.15524) on the trie of trie.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trie.hpp"

namespace spike {

// Let s(v) be the bytes on the path to node v. Each node has pops, a list of tokens, and a failure,
// another node, with s(v) = bytes of the pops + s(failure).
//
// Claim: `cut` takes the tokens of longest match, by definition: the longest entry at the start of
// the text, then the same for the rest.
// Reason: the invariant is that, after the tokens taken so far, the text continues with s(cell),
// and longest match would be at that node of the trie, within one token. Where the next byte has a
// child, both go on to it. Where it has none, or the text ends, longest match emits the longest
// entry on the path and reads the rest of s(cell) again. The pops are the tokens that it emits
// until it has read s(cell) again, and the failure is the node where it is then. By induction on
// depth:
//   - s(v) is an entry: it is the token, and nothing is left; the failure is the root.
//   - s(v) = s(u) c is no entry: the longest entry on the path is that of the parent u. So the
//     tokens are pops(u), which leave s(failure(u)) and then c. If failure(u) has a child by c,
//     that child is the failure of v. If not, its pops come next, then those of its failure, until
//     a node has a child by c. The root has a child for every byte, so the search ends.
// Bound: a round of `cut` reads bytes, then follows one failure link, whose pops hold at least one
// token. So a text of n bytes takes n steps to read and at most n links, whatever the vocabulary.
class FailureLinks {
  public:
    explicit FailureLinks(const Trie& trie);

    // Encodes the text at … limit) from the left and calls take(token) for each token until that
    // returns false, at the latest at the limit.
    template <class Take>
    void cut(const std::uint8_t* at, const std::uint8_t* limit, Take take) const {
        std::uint32_t cell = ROOT, row = 0;
        for (;;) {
            for (; at < limit; ++at) {
                const Node& extended = nodes_[row + *at];
                if (extended.label != *at) break;
                cell = row + *at;
                row = extended.base;
            }
            // The root has a child for every byte, so this is the limit.
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
    // The root, which has no cell; its base is 0.
    static constexpr std::uint32_t ROOT = MAX_ENTRIES;

    // All that a step needs in 16 bytes; the base of the failure saves loading its node.
    struct Node {
        std::uint32_t base : 24, label : 8;  // as in the cell of the trie
        std::uint32_t failure : 24, count : 8;
        std::uint32_t failure_base;
        std::uint32_t pops;  // index into pops_ of the first; there are `count`
    };

    using Cells = std::vector<std::uint32_t>;

    void find_failure(Node& node, const Node& parent);
    void lay_out_pops(const std::vector<Cell>& cells, const Cells& order, const Cells& parents);

    std::vector<Node> nodes_;  // by cell
    Cells pops_;
};

}  // namespace spike
