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

// A node, packed so that one load tells all that a step of the encoder asks: from the highest bits
// down 24 of the base, 24 of the token, 8 of the overrun, 8 of the label.
using Cell = std::uint64_t;

// From the node, byte c leads to the cell base + c if the label there is c.
inline std::size_t base(Cell cell) { return cell >> 40; }
// The id of the longest entry on the way to the node.
inline std::uint32_t token(Cell cell) { return (cell >> 16) & 0xFFFFFF; }
// How many bytes the node lies behind the end of that longest entry.
inline std::size_t overrun(Cell cell) { return (cell >> 8) & 0xFF; }
inline std::uint8_t label(Cell cell) { return static_cast<std::uint8_t>(cell); }

struct Trie {
    // The first byte of a token leads to the cell of that number: the root's row is 0 … 255.
    std::vector<Cell> cells;
    std::vector<std::uint8_t> lengths;  // bytes of the entry of each id
};

// Builds the trie of entries[i] → ids[i]. Throws std::invalid_argument when an entry is empty, too
// long or there twice, when a single byte is missing, or when an id is there twice or does not fit
// 24 bits.
Trie build_trie(const Texts& entries, std::span<const std::uint32_t> ids);

}  // namespace spike
