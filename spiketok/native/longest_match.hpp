// Longest-match encoder of one text (leftmost-longest, also called MaxMatch).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "failure_links.hpp"
#include "trie.hpp"

namespace spike {

// How many more bytes may be read again before the plain walk over the trie is given up for failure
// links. A token whose path went `bytes_past_match` bytes beyond its end costs that many, for the
// next token begins there; each byte of a token adds RESCAN_BUDGET_PER_BYTE.
//
// Claim: encoding n bytes follows at most 3n edges and links and a constant, for any vocabulary and
// text. (A byte at which a token ends is looked at once more for each token.)
// Reason: the budget is INITIAL + PER_BYTE × (bytes encoded) - (bytes read again), and the plain
// walk starts a token, or a round of lanes, only while it is not negative. So after m bytes at most
// 2m + 64 have been read again, and those of the last token (fewer than MAX_ENTRY_BYTES) or round
// (at most its steps, lanes.cpp). With the first reading of each byte that is 3m and a constant.
// The failure links take over there, and need at most 2 for each further byte.
// Without the budget a vocabulary can make every byte be read MAX_ENTRY_BYTES times. The initial
// budget is for the first tokens, which may step back as those of any text do.
using RescanBudget = std::ptrdiff_t;
inline constexpr RescanBudget INITIAL_RESCAN_BUDGET = 64, RESCAN_BUDGET_PER_BYTE = 2;

// A trie for the plain walk, and failure links for texts on which that is too slow. Threads may
// share it.
class LongestMatch {
  public:
    explicit LongestMatch(Trie built) : trie(std::move(built)) {}

    // Continues a token from its node and the byte at `at`, and returns the cell that closes it;
    // `at` moves to the token's end.
    Cell close_token(Cell cell, const std::uint8_t*& at, const std::uint8_t* limit) const {
        const Cell* const cells = trie.cells.data();
        for (; at < limit; ++at) {
            const Cell extended = cells[base(cell) + *at];
            if (label(extended) != *at) break;
            cell = extended;
        }
        at -= bytes_past_match(cell);
        return cell;
    }

    // Encodes the text at … limit), which is not empty, from the left and calls take(token, its
    // end) for each token until that returns false, as it must at the latest at the limit.
    template <class Take>
    void cut(const std::uint8_t* at, const std::uint8_t* limit, RescanBudget rescan_budget,
             Take take) const {
        while (rescan_budget >= 0) {
            const std::uint8_t* const start = at;
            const Cell first = trie.cells[*at++];
            const Cell closed = close_token(first, at, limit);
            if (!take(token(closed), at)) return;
            rescan_budget += RESCAN_BUDGET_PER_BYTE * (at - start) -
                             static_cast<RescanBudget>(bytes_past_match(closed));
        }
        links().cut(at, limit, [&](std::uint32_t token) {
            at += trie.lengths[token];
            return take(token, at);
        });
    }

    const Trie trie;

  private:
    // Built when a text first needs them, which is rare.
    const FailureLinks& links() const {
        std::call_once(links_once_, [&] { links_ = std::make_unique<FailureLinks>(trie); });
        return *links_;
    }

    mutable std::once_flag links_once_;
    mutable std::unique_ptr<const FailureLinks> links_;
};

}  // namespace spike
