// Double-array trie of the vocabulary, for the longest-match encoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "texts.hpp"

namespace spike {

inline constexpr std::size_t MAX_ENTRY_BYTES = 255;
inline constexpr std::size_t MAX_ENTRIES = (1u << 24) - 1;

// A node, packed so that one load has all that a step of the encoder needs: from the highest bits
// down 24 of the base, 24 of the token, 8 of bytes_past_match, 8 of the label.
using Cell = std::uint64_t;

// Byte c leads from the node to the cell base + c if the label there is c.
inline std::size_t base(Cell cell) { return cell >> 40; }
// The id of the longest entry on the path to the node; every byte is an entry, so there is one.
inline std::uint32_t token(Cell cell) { return (cell >> 16) & 0xFFFFFF; }
// The bytes of the path after that longest entry, which a step back must read again.
inline std::size_t bytes_past_match(Cell cell) { return (cell >> 8) & 0xFF; }
inline std::uint8_t label(Cell cell) { return static_cast<std::uint8_t>(cell); }

struct Trie {
    // The first byte of a token leads to the cell of that number: the root has the cells 0 … 255.
    std::vector<Cell> cells;
    std::vector<std::uint8_t> lengths;  // bytes of the entry of each id
};

// Builds the trie of entries[i] → ids[i]. Throws std::invalid_argument when an entry is empty, too
// long or a duplicate, when a single byte is missing, or when an id is a duplicate or does not fit
// 24 bits.
Trie build_trie(const Texts& entries, std::span<const std::uint32_t> ids);

}  // namespace spike
