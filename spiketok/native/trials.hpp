// Tells what a change of the vocabulary would do to the number of tokens, by trying it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "entry_trie.hpp"
#include "texts.hpp"

namespace spike {

struct Trials {
    std::vector<std::int64_t> uses;    // by entry; of a candidate: how often it would be used
    std::vector<std::int64_t> change;  // by entry: tokens more (or less than none) after the change
    std::int64_t tokens = 0;           // without any change
};

// Cuts the texts by longest match with the first `used` entries of the trie. For each of these that
// is no single byte, `change` says how many tokens more there were without it; for each entry from
// `used` on, how many more there were with it. Both are exact: after a change the cut is followed
// until it meets a border of the old one, from where on the two are equal. Equal for any number of
// threads. A cut that changes must be followed anew for each use, so the time is about that of
// several cuts, and of more where candidates are many.
Trials try_changes(const EntryTrie& trie, std::size_t used, bool removals, const Texts& texts,
                   unsigned threads);

// The fewest tokens into which the texts can be cut at all with these entries.
std::int64_t fewest_tokens(const EntryTrie& trie, const Texts& texts, unsigned threads);

}  // namespace spike
