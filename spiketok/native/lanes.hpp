// Leftmost-longest encoding of several slices of text at a time on one core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "trie.hpp"

namespace spike {

// How many chains of loads keep a core busy while each of them waits.
inline constexpr std::size_t LANES = 4;

// A part of a document, and the ids of the tokens that begin in it.
template <class Id>
struct Slice {
    const std::uint8_t* begin;
    const std::uint8_t* stop;
    const std::uint8_t* limit;  // where the document ends
    Id* ids = nullptr;          // has room for as many as the slice has bytes
    std::size_t count = 0;
    const std::uint8_t* end = begin;  // of the last token

    std::size_t bytes() const { return static_cast<std::size_t>(stop - begin); }
};

// Encodes each slice as if its document began with it: fills in ids, count and end.
template <class Id>
void encode_slices(const Trie& trie, std::span<Slice<Id>> slices);

// Goes on with a token from its node and the byte at `at`, and returns the cell that closes it; `at`
// moves to its end.
inline Cell close_token(const Cell* cells, Cell cell, const std::uint8_t*& at,
                        const std::uint8_t* limit) {
    for (; at < limit; ++at) {
        const Cell longer = cells[base(cell) + *at];
        if (label(longer) != *at) break;
        cell = longer;
    }
    at -= overrun(cell);
    return cell;
}

}  // namespace spike
