// Longest-match encoder of batches of texts, in parallel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "longest_match.hpp"
#include "texts.hpp"

namespace spike {

// An array without initialisation.
template <class Item>
struct Array {
    explicit Array(std::size_t count)
        : items(std::make_unique_for_overwrite<Item[]>(count)), size(count) {}
    std::unique_ptr<Item[]> items;
    std::size_t size;
};

template <class Id>
struct Encoded {
    Array<Id> ids;
    Array<std::int64_t> offsets;  // text i has the ids offsets[i] … offsets[i + 1]
};

// Encodes each text independently. Long ones are split into slices of at most `slice_bytes` (0: a
// default), which are encoded side by side and joined; neither that nor the number of threads (0:
// one per core) changes the result. Id is std::uint16_t or std::uint32_t; the caller ensures that
// the ids fit.
template <class Id>
Encoded<Id> encode(const LongestMatch& match, const Texts& texts, unsigned threads,
                   std::size_t slice_bytes = 0);

}  // namespace spike
