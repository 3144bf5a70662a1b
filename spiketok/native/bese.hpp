// BESE tokenizer: texts to ids by ranked merges of base ids, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bese_alphabet.hpp"
#include "matcher.hpp"
#include "ranked_merges.hpp"
#include "texts.hpp"

namespace spike {

// Calls take(base ids) for each segment of a text. A segment ends after a run of newlines, or when
// it has MAX_BASE_IDS; in the published alphabet a text is one segment.
template <class Take>
void for_each_segment(const Alphabet& alphabet, std::span<const std::uint8_t> text,
                      std::vector<std::uint8_t>& segment, Take take) {
    segment.clear();
    const auto cut = [&] {
        if (!segment.empty()) take(std::span<const std::uint8_t>(segment));
        segment.clear();
    };
    const auto put = [&](std::uint8_t base) {
        segment.push_back(base);
        if (alphabet.lossless() && segment.size() == MAX_BASE_IDS) cut();
    };
    write_base(alphabet, text, put, cut);
    cut();
}

class Bese {
  public:
    // Merge r joins left[r] and right[r] to id BASE_IDS + r; `name` is what DOC decodes to; there
    // are `size` ids, of which the last ones may have no bytes. Throws std::invalid_argument where
    // numbers do not fit each other.
    Bese(bool lossless, std::span<const std::uint32_t> left, std::span<const std::uint32_t> right,
         std::string name, std::size_t size);

    // Encodes every text on its own; equal for any number of threads (0: one per core). Id is
    // std::uint16_t or std::uint32_t; the caller knows that the ids fit.
    template <class Id>
    Encoded<Id> encode(const Texts& texts, unsigned threads) const;

    // Appends the bytes of ids to `text`, beginning in a state (0: at the beginning of a text), and
    // returns the state after them. Throws std::invalid_argument naming the first id out of range.
    template <class Id>
    std::uint32_t decode(std::span<const Id> ids, std::uint32_t state, std::string& text) const;

    std::size_t size() const { return starts_.size() - 1; }

    // The base ids of an id.
    std::span<const std::uint8_t> expansion(std::size_t id) const {
        return std::span(expansions_).subspan(starts_[id], starts_[id + 1] - starts_[id]);
    }

  private:
    Alphabet alphabet_;
    RankedMerges merges_;
    std::string name_;
    std::vector<std::uint8_t> expansions_;
    std::vector<std::size_t> starts_;
};

}  // namespace spike
