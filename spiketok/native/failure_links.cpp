#include "failure_links.hpp"

#include <algorithm>
#include <stdexcept>

namespace spike {
namespace {

using Numbers = std::vector<std::uint32_t>;

// Cells in gaps have the base 0.
bool is_node(Cell cell) { return base(cell) != 0; }

// The cells that are nodes, those with short paths first.
Numbers by_depth(const Trie& trie) {
    const auto depth = [&](Cell cell) { return trie.lengths[token(cell)] + overrun(cell); };
    std::vector<std::size_t> first(LONGEST_ENTRY + 2);
    for (const Cell cell : trie.cells) {
        if (is_node(cell)) ++first[depth(cell) + 1];
    }
    for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
    Numbers order(first.back());
    for (std::size_t i = 0; i < trie.cells.size(); ++i) {
        if (is_node(trie.cells[i])) {
            order[first[depth(trie.cells[i])]++] = static_cast<std::uint32_t>(i);
        }
    }
    return order;
}

// For each node but the first 256 the cell of its parent, found by the base that its label betrays.
Numbers parents_of(const std::vector<Cell>& cells) {
    Numbers owner(cells.size()), parents(cells.size());
    for (std::size_t i = 0; i < cells.size(); ++i) owner[base(cells[i])] = static_cast<std::uint32_t>(i);
    for (std::size_t i = 256; i < cells.size(); ++i) parents[i] = owner[i - label(cells[i])];
    return parents;
}

}  // namespace

FailureLinks::FailureLinks(const Trie& trie) : nodes_(trie.cells.size()) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) nodes_[i] = {trie.cells[i], ROOT, 1, 0};
    const Numbers order = by_depth(trie), parents = parents_of(trie.cells);
    for (const std::uint32_t cell : order) {
        if (overrun(nodes_[cell].cell) > 0) find_failure(cell, parents[cell]);
    }
    share_pops(order, parents);
}

// From the parent's path take what has to go before the byte fits. A failure's path is shorter than
// the node's, so it is known.
void FailureLinks::find_failure(std::uint32_t cell, std::uint32_t parent) {
    Node& node = nodes_[cell];
    node.count = nodes_[parent].count;
    const std::uint8_t byte = label(node.cell);
    for (std::uint32_t rest = nodes_[parent].failure; rest != ROOT; rest = nodes_[rest].failure) {
        const std::size_t longer = base(nodes_[rest].cell) + byte;
        if (label(nodes_[longer].cell) == byte) {
            node.failure = static_cast<std::uint32_t>(longer) & ROOT;
            return;
        }
        node.count += nodes_[rest].count;
    }
    node.failure = byte;
}

// A node's pops are its parent's and then those of each node that its failure was looked for from,
// so they lie in one place with those of one child, who goes on where the parent's end. Other
// children need a copy if they go on: all together there are no more than bytes in the entries.
void FailureLinks::share_pops(const Numbers& order, const Numbers& parents) {
    // Of the longest list to begin with the node's, and the child who goes on.
    std::vector<std::uint8_t> room(nodes_.size());
    Numbers heir(nodes_.size());
    for (auto cell = order.rbegin(); cell != order.rend(); ++cell) {
        const Node& node = nodes_[*cell];
        room[*cell] = std::max<std::uint8_t>(room[*cell], node.count);
        if (overrun(node.cell) == 0) continue;
        const std::uint32_t parent = parents[*cell];
        if (room[*cell] > room[parent]) {
            room[parent] = room[*cell];
            heir[parent] = *cell;
        }
    }
    for (const std::uint32_t cell : order) {
        Node& node = nodes_[cell];
        const bool is_entry = overrun(node.cell) == 0;
        const Node& parent = nodes_[is_entry ? cell : parents[cell]];
        const bool goes_on = !is_entry && (heir[parents[cell]] == cell || room[cell] == parent.count);
        node.pops = goes_on ? parent.pops : static_cast<std::uint32_t>(pops_.size());
        if (!goes_on) pops_.resize(pops_.size() + room[cell]);
        if (is_entry) {
            pops_[node.pops] = token(node.cell);
            continue;
        }
        if (!goes_on) std::copy_n(pops_.begin() + parent.pops, parent.count, pops_.begin() + node.pops);
        std::uint32_t end = node.pops + parent.count;
        for (std::uint32_t rest = parent.failure; end < node.pops + node.count; rest = nodes_[rest].failure) {
            std::copy_n(pops_.begin() + nodes_[rest].pops, nodes_[rest].count, pops_.begin() + end);
            end += nodes_[rest].count;
        }
    }
}

}  // namespace spike
