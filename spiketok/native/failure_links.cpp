#include "failure_links.hpp"

#include <algorithm>

namespace spike {
namespace {

using Cells = std::vector<std::uint32_t>;

// Cells in gaps have the base 0.
bool is_node(Cell cell) { return base(cell) != 0; }

// The cells that are nodes, by rising depth.
Cells by_depth(const Trie& trie) {
    const auto depth = [&](Cell cell) {
        return trie.lengths[token(cell)] + bytes_past_match(cell);
    };
    std::vector<std::size_t> first(MAX_ENTRY_BYTES + 2);
    for (const Cell cell : trie.cells) {
        if (is_node(cell)) ++first[depth(cell) + 1];
    }
    for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
    Cells order(first.back());
    for (std::size_t i = 0; i < trie.cells.size(); ++i) {
        if (is_node(trie.cells[i])) {
            order[first[depth(trie.cells[i])]++] = static_cast<std::uint32_t>(i);
        }
    }
    return order;
}

// The parent of each node but the first 256: the node with the base cell - label.
Cells parents_of(const std::vector<Cell>& cells) {
    Cells node_of_base(cells.size()), parents(cells.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
        node_of_base[base(cells[i])] = static_cast<std::uint32_t>(i);
    }
    for (std::size_t i = 256; i < cells.size(); ++i) parents[i] = node_of_base[i - label(cells[i])];
    return parents;
}

}  // namespace

FailureLinks::FailureLinks(const Trie& trie) : nodes_(trie.cells.size()) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const Cell cell = trie.cells[i];
        nodes_[i] = {static_cast<std::uint32_t>(base(cell)), label(cell), ROOT, 1, 0, 0};
    }
    const Cells order = by_depth(trie), parents = parents_of(trie.cells);
    for (const std::uint32_t cell : order) {
        if (bytes_past_match(trie.cells[cell]) > 0)
            find_failure(nodes_[cell], nodes_[parents[cell]]);
    }
    lay_out_pops(trie.cells, order, parents);
}

// The second case of the induction in the header. A failure has a shorter path than its node, and
// nodes come by rising depth, so all that is read here is known.
void FailureLinks::find_failure(Node& node, const Node& parent) {
    node.count = parent.count;
    std::uint32_t rest = parent.failure, row = parent.failure_base;
    while (nodes_[row + node.label].label != node.label) {
        node.count += nodes_[rest].count;
        row = nodes_[rest].failure_base;
        rest = nodes_[rest].failure;
    }
    node.failure = row + node.label;
    node.failure_base = nodes_[node.failure].base;
}

// The pops of a node that is no entry are those of its parent, then those of each node that its
// failure was searched from. One child that has more pops than its parent shares the parent's part
// of pops_, which continues after the parent's end: the one with the longest list below it. The
// others need a copy.
// Bound: a list begins at an entry, or with a copy of such a beginning. It has at most one token
// for each byte of the path from the last byte of that entry to its own end. On the path to one
// leaf two lists cover different bytes, for a list ends where no child has more pops. So pops_
// holds no more tokens than the entries have bytes.
void FailureLinks::lay_out_pops(const std::vector<Cell>& cells, const Cells& order,
                                const Cells& parents) {
    // The longest list of pops that continues that of a node, and the child that it goes through.
    std::vector<std::uint8_t> max_pops(nodes_.size());
    Cells sharing_child(nodes_.size());
    for (auto cell = order.rbegin(); cell != order.rend(); ++cell) {
        max_pops[*cell] = std::max<std::uint8_t>(max_pops[*cell], nodes_[*cell].count);
        const std::uint32_t parent = parents[*cell];
        if (bytes_past_match(cells[*cell]) == 0 || max_pops[*cell] <= max_pops[parent]) continue;
        max_pops[parent] = max_pops[*cell];
        sharing_child[parent] = *cell;
    }
    const auto copy = [&](const Node& from, std::size_t to) {
        std::copy_n(pops_.begin() + from.pops, from.count, pops_.begin() + to);
        return to + from.count;
    };
    for (const std::uint32_t cell : order) {
        Node& node = nodes_[cell];
        const auto end = static_cast<std::uint32_t>(pops_.size());
        if (bytes_past_match(cells[cell]) == 0) {
            node.pops = end;
            pops_.resize(end + max_pops[cell]);
            pops_[end] = token(cells[cell]);
            continue;
        }
        const Node& parent = nodes_[parents[cell]];
        node.pops = parent.pops;
        if (sharing_child[parents[cell]] != cell && max_pops[cell] > parent.count) {
            node.pops = end;
            pops_.resize(end + max_pops[cell]);
            copy(parent, end);
        }
        std::size_t place = node.pops + parent.count;
        std::uint32_t rest = parent.failure;
        for (; place < node.pops + node.count; rest = nodes_[rest].failure) {
            place = copy(nodes_[rest], place);
        }
    }
}

}  // namespace spike
