// A double-array trie in which every byte string has a longest matching entry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "texts.hpp"

namespace spike {

inline constexpr std::size_t LONGEST_ENTRY = 255;
inline constexpr std::size_t MOST_ENTRIES = (1u << 24) - 1;

// From the cell of a node, byte c leads to cell base + c if the label there is c. The first byte of
// a token leads to the cell of that number: the root's row is 0 … 255.
struct Trie {
    std::vector<std::uint32_t> cells;  // base << 8 | label
    // For each cell the longest entry on the way to it: id << 8 | bytes behind that entry's end.
    std::vector<std::uint32_t> ends;
    std::size_t longest = 0;  // bytes of the longest entry
};

// Builds the trie of entries[i] → ids[i]. Throws std::invalid_argument when an entry is empty, too
// long or there twice, when a single byte is missing, or when an id does not fit 24 bits.
Trie build_trie(const Texts& entries, std::span<const std::uint32_t> ids);

}  // namespace spike
