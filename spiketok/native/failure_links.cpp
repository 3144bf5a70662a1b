#include "failure_links.hpp"

#include <algorithm>

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
    for (std::size_t i = 0; i < cells.size(); ++i) {
        owner[base(cells[i])] = static_cast<std::uint32_t>(i);
    }
    for (std::size_t i = 256; i < cells.size(); ++i) parents[i] = owner[i - label(cells[i])];
    return parents;
}

}  // namespace

FailureLinks::FailureLinks(const Trie& trie) : nodes_(trie.cells.size()) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const Cell cell = trie.cells[i];
        nodes_[i] = {static_cast<std::uint32_t>(base(cell)), label(cell), ROOT, 1, 0, 0};
    }
    const Numbers order = by_depth(trie), parents = parents_of(trie.cells);
    for (const std::uint32_t cell : order) {
        if (overrun(trie.cells[cell]) > 0) find_failure(nodes_[cell], nodes_[parents[cell]]);
    }
    share_pops(trie.cells, order, parents);
}

// From the parent's path take what has to go before the byte fits. A failure's path is shorter than
// the node's, so it is known.
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

// A node's pops are its parent's and then those of each node that its failure was looked for from.
// They lie in one place with those of one child, which goes on where its parent's end. Other
// children that go on need a copy; all copies together hold no more tokens than the entries bytes.
void FailureLinks::share_pops(const std::vector<Cell>& cells, const Numbers& order,
                              const Numbers& parents) {
    // The most pops on a way down from the node, and its child on that way.
    std::vector<std::uint8_t> most(nodes_.size());
    Numbers heir(nodes_.size());
    for (auto cell = order.rbegin(); cell != order.rend(); ++cell) {
        most[*cell] = std::max<std::uint8_t>(most[*cell], nodes_[*cell].count);
        const std::uint32_t parent = parents[*cell];
        if (overrun(cells[*cell]) == 0 || most[*cell] <= most[parent]) continue;
        most[parent] = most[*cell];
        heir[parent] = *cell;
    }
    const auto copy = [&](const Node& from, std::size_t to) {
        std::copy_n(pops_.begin() + from.pops, from.count, pops_.begin() + to);
        return to + from.count;
    };
    for (const std::uint32_t cell : order) {
        Node& node = nodes_[cell];
        const auto end = static_cast<std::uint32_t>(pops_.size());
        if (overrun(cells[cell]) == 0) {
            node.pops = end;
            pops_.resize(end + most[cell]);
            pops_[end] = token(cells[cell]);
            continue;
        }
        const Node& parent = nodes_[parents[cell]];
        node.pops = parent.pops;
        if (heir[parents[cell]] != cell && most[cell] > parent.count) {
            node.pops = end;
            pops_.resize(end + most[cell]);
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
