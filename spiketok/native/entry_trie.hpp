// Double-array trie of a vocabulary in training: all entries that match at a byte, longest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "texts.hpp"

namespace spike {

// Byte c leads from a cell to cell base + c, if the parent of that cell is the first one. The first
// byte of an entry leads to the cell of that number. The entries that match at a byte are those of
// the chain longest, longest_proper_prefix(longest), …: all are prefixes of the text there.
class EntryTrie {
  public:
    static constexpr std::uint32_t NONE = 0xFFFFFFFF;

    // Throws std::invalid_argument unless the entries are different, not empty, and begin with the
    // 256 single bytes in order.
    explicit EntryTrie(const Texts& entries);

    std::size_t size() const { return lengths_.size(); }
    std::uint32_t length(std::uint32_t entry) const { return lengths_[entry]; }

    // The longest entry that is a proper prefix of this one; NONE for single bytes.
    std::uint32_t longest_proper_prefix(std::uint32_t entry) const {
        return longest_proper_prefix_[entry];
    }

    // The longest entry that is a prefix of text[at …].
    std::uint32_t longest(std::span<const std::uint8_t> text, std::size_t at) const {
        std::uint32_t cell = text[at];
        while (++at < text.size()) {
            const std::uint32_t next = cells_[cell].base + text[at];
            if (cells_[next].parent != cell) break;
            cell = next;
        }
        return cells_[cell].longest;
    }

  private:
    struct Cell {
        std::uint32_t base = 0, parent = NONE;
        std::uint32_t longest = NONE;  // entry on the path to this cell
    };

    std::uint32_t find_base(std::span<const std::uint8_t> labels);

    std::vector<Cell> cells_;
    std::vector<std::uint32_t> lengths_, longest_proper_prefix_;
    std::size_t first_free_ = 256;
};

}  // namespace spike
