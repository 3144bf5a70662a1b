// Cuts one text after the other by the longest match, whatever the vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "failure_links.hpp"
#include "trie.hpp"

namespace spike {

// How many more bytes may be read in vain, to be read again, before the plain way to walk a trie is
// given up. Each byte of a token adds two, so that a byte is read about three times at most. The
// first ones are for steps back of usual lengths.
using Patience = std::ptrdiff_t;
inline constexpr Patience FIRST_PATIENCE = 64, PATIENCE_OF_A_BYTE = 2;

// A trie that may be walked in the plain way, and failure links for what that way is too slow for.
// Threads may share it.
class LongestMatch {
  public:
    explicit LongestMatch(Trie made) : trie(std::move(made)) {}

    // Goes on with a token from its node and the byte at `at`, and returns the cell that closes it;
    // `at` moves to its end.
    Cell close_token(Cell cell, const std::uint8_t*& at, const std::uint8_t* limit) const {
        const Cell* const cells = trie.cells.data();
        for (; at < limit; ++at) {
            const Cell longer = cells[base(cell) + *at];
            if (label(longer) != *at) break;
            cell = longer;
        }
        at -= overrun(cell);
        return cell;
    }

    // Cuts the text at … limit), which is not empty, from the left and calls take(token, its end)
    // for each token until that returns false, as it must at the latest at the limit.
    template <class Take>
    void cut(const std::uint8_t* at, const std::uint8_t* limit, Patience patience,
             Take take) const {
        while (patience >= 0) {
            const std::uint8_t* const start = at;
            const Cell first = trie.cells[*at++];
            const Cell closed = close_token(first, at, limit);
            if (!take(token(closed), at)) return;
            patience += PATIENCE_OF_A_BYTE * (at - start) - static_cast<Patience>(overrun(closed));
        }
        links().cut(at, limit, [&](std::uint32_t token) {
            at += trie.lengths[token];
            return take(token, at);
        });
    }

    const Trie trie;

  private:
    // Made when a text first asks for them: few ever do.
    const FailureLinks& links() const {
        std::call_once(made_, [&] { links_ = std::make_unique<FailureLinks>(trie); });
        return *links_;
    }

    mutable std::once_flag made_;
    mutable std::unique_ptr<const FailureLinks> links_;
};

}  // namespace spike
