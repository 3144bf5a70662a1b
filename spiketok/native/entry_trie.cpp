#include "entry_trie.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace spike {
namespace {

// Where a search has met this many used cells for each free one, later searches begin after it.
constexpr std::size_t MAX_FILL_RATIO = 20;
// The parent of the first 256 cells, which marks them as used.
constexpr std::uint32_t ROOT = EntryTrie::NONE - 1;

}  // namespace

EntryTrie::EntryTrie(const Texts& entries)
    : cells_(1024), longest_proper_prefix_(entries.size(), NONE) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (entries[i].empty()) throw std::invalid_argument("an entry is empty");
        lengths_.push_back(static_cast<std::uint32_t>(entries[i].size()));
    }
    for (std::size_t byte = 0; byte < 256; ++byte) {
        if (entries.size() <= byte || entries[byte].size() != 1 || entries[byte][0] != byte) {
            throw std::invalid_argument("the entries must begin with the 256 single bytes");
        }
        cells_[byte].parent = ROOT;
        cells_[byte].longest = static_cast<std::uint32_t>(byte);
    }
    std::vector<std::uint32_t> order(entries.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
        return std::ranges::lexicographical_compare(entries[a], entries[b]);
    });
    // The entries order[first … last) share `depth` bytes, which lead to `cell`.
    struct Branch {
        std::size_t first, last, depth;
        std::uint32_t cell;
    };
    std::vector<Branch> open;
    const auto split = [&](std::size_t first, std::size_t last, std::size_t depth, auto take) {
        while (first < last) {
            const std::uint8_t label = entries[order[first]][depth];
            std::size_t stop = first;
            while (stop < last && entries[order[stop]][depth] == label) ++stop;
            take(label, first, stop);
            first = stop;
        }
    };
    split(0, order.size(), 0, [&](std::uint8_t label, std::size_t first, std::size_t stop) {
        open.push_back({first + 1, stop, 1, label});
    });
    for (std::size_t i = 0; i < open.size(); ++i) {
        auto [first, last, depth, cell] = open[i];
        if (depth > 1 && entries[order[first]].size() == depth) {
            longest_proper_prefix_[order[first]] = cells_[cell].longest;
            cells_[cell].longest = order[first++];
        }
        if (first == last) continue;
        if (entries[order[first]].size() == depth) {
            throw std::invalid_argument("an entry is there twice");
        }
        std::vector<std::uint8_t> labels;
        split(first, last, depth,
              [&](std::uint8_t label, std::size_t, std::size_t) { labels.push_back(label); });
        const std::uint32_t base = find_base(labels);
        cells_[cell].base = base;
        split(first, last, depth, [&](std::uint8_t label, std::size_t from, std::size_t stop) {
            Cell& next = cells_[base + label];
            next.parent = cell;
            next.longest = cells_[cell].longest;
            open.push_back({from, stop, depth + 1, base + label});
        });
    }
}

std::uint32_t EntryTrie::find_base(std::span<const std::uint8_t> labels) {
    std::size_t taken = 0;
    for (std::size_t at = first_free_;; ++at) {
        if (at + 512 > cells_.size()) cells_.resize(cells_.size() * 2);
        if (cells_[at].parent != NONE) {
            ++taken;
            continue;
        }
        if (at < labels[0] + std::size_t{256}) continue;
        const std::size_t base = at - labels[0];
        if (std::ranges::any_of(labels, [&](auto c) { return cells_[base + c].parent != NONE; })) {
            continue;
        }
        if (taken * (MAX_FILL_RATIO + 1) >= (at - first_free_ + 1) * MAX_FILL_RATIO)
            first_free_ = at;
        return static_cast<std::uint32_t>(base);
    }
}

}  // namespace spike
