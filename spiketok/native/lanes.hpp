// Longest-match encoder of several slices of text at a time on one core (lanes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "longest_match.hpp"

namespace spike {

// Each lane is a chain of dependent loads; this many keep a core busy while each of them waits.
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

// Encodes each slice as if its document began with it; sets ids, count and end.
template <class Id>
void encode_slices(const LongestMatch& match, std::span<Slice<Id>> slices);

}  // namespace spike
