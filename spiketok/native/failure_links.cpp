#include "failure_links.hpp"

#include <algorithm>

namespace spike {
namespace {

constexpr std::uint32_t NONE = 0xFFFFFFFF;

// For each base the cell of the node that has it: children know their parent by their label.
std::vector<std::uint32_t> owners(const std::vector<Cell>& cells) {
    std::vector<std::uint32_t> found(cells.size(), NONE);
    for (std::size_t i = 0; i < cells.size(); ++i) {
        // Cells in gaps have the base 0.
        if (base(cells[i]) != 0) found[base(cells[i])] = static_cast<std::uint32_t>(i);
    }
    return found;
}

}  // namespace

FailureLinks::FailureLinks(const Trie& trie) : cells_(trie.cells), links_(cells_.size()) {
    // Short paths first: a failure's path is shorter than the node's.
    std::vector<std::uint32_t> count(LONGEST_ENTRY + 2), order;
    const auto depth = [&](std::size_t i) { return trie.lengths[token(cells_[i])] + overrun(cells_[i]); };
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        if (base(cells_[i]) != 0) ++count[depth(i) + 1];
    }
    for (std::size_t i = 1; i < count.size(); ++i) count[i] += count[i - 1];
    order.resize(count.back());
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        if (base(cells_[i]) != 0) order[count[depth(i)]++] = static_cast<std::uint32_t>(i);
    }
    const std::vector<std::uint32_t> owner = owners(cells_);
    for (const std::uint32_t cell : order) {
        if (overrun(cells_[cell]) == 0) {
            links_[cell].pops = TOKEN + token(cells_[cell]);
        } else {
            link(cell, owner[cell - label(cells_[cell])]);
        }
    }
}

void FailureLinks::link(std::uint32_t cell, std::uint32_t parent) {
    Link& made = links_[cell];
    made = {links_[parent].failure, links_[parent].pops, parent, 0};
    const std::uint8_t byte = label(cells_[cell]);
    for (; made.failure != ROOT; made.failure = links_[made.failure].failure) {
        const std::size_t longer = base(cells_[made.failure]) + byte;
        if (label(cells_[longer]) == byte) {
            made.failure = static_cast<std::uint32_t>(longer);
            return;
        }
        made.pops = cell;
        ++made.more;
    }
    made.failure = byte;
}

}  // namespace spike
