// Counts of adjacent token pairs (bigrams).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "texts.hpp"

namespace spike {

struct Pair {
    std::uint32_t left, right;
    std::uint64_t count;
};

// Counts adjacent ids inside each document and returns the `limit` most frequent pairs that occur
// at least twice: by falling count, then by left and right. Of a pair of equal ids only
// occurrences that do not overlap count: a a a a holds two. Equal for any number of threads.
// Takes 8 bytes for each id, and at most 48 for each distinct pair, half of them for a while only.
template <class Id>
std::vector<Pair> count_pairs(const Slices<Id>& documents, std::size_t limit, unsigned threads);

}  // namespace spike
