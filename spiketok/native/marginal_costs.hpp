// Marginal costs: how many tokens a vocabulary gains or loses by one entry more or less.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "entry_trie.hpp"
#include "texts.hpp"

namespace spike {

struct MarginalCosts {
    std::vector<std::int64_t> uses;         // by entry; of a candidate: if it were in use
    std::vector<std::int64_t> token_delta;  // by entry: tokens after the change, less those before
    std::int64_t tokens = 0;                // without any change
};

// Encodes the texts by longest match with the first `used` entries of the trie; the entries after
// them are candidates. The change of an entry in use that is no single byte is its removal (only
// with `removals`), that of a candidate its addition. Every delta is exact for this one change.
// Equal for any number of threads. Throws std::invalid_argument unless 256 <= used <= trie.size().
//
// Claim: token_delta[e] = tokens(V with e changed) - tokens(V), over all texts.
// Reason: longest match has no memory. The token at a boundary depends on the following bytes
// alone, so two encodings of a text that share a boundary agree from there until a token at a
// shared boundary differs. That token differs only where V uses e (removal), or where e matches
// and is longer than the token of V (addition). Both begin at a shared boundary, the text's first
// byte. So it is enough to visit each such token of V that begins at a shared boundary, to follow
// the changed encoding until both share a boundary again, at the latest at the text's end, and to
// add the difference of the tokens in between. A token of V that begins before the end of an
// earlier detour of the same e is skipped: the changed encoding has passed it.
// Bound: the detours of one entry do not overlap, so they cost at most one more encoding of the
// text for each entry that occurs. In practice a detour is a few tokens long, and the time is
// that of several encodings.
MarginalCosts marginal_costs(const EntryTrie& trie, std::size_t used, bool removals,
                             const Texts& texts, unsigned threads);

// The fewest tokens of any segmentation of the texts into these entries, by dynamic programming.
std::int64_t fewest_tokens(const EntryTrie& trie, const Texts& texts, unsigned threads);

}  // namespace spike
