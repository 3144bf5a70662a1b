// Leftmost-longest encoding of byte strings, and decoding back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "texts.hpp"
#include "trie.hpp"

namespace spike {

// An array that is not zeroed before it is filled.
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

// Encodes every text on its own; the result is the same for any number of threads (0: all cores).
// Id is std::uint16_t or std::uint32_t; the caller knows that the ids fit.
template <class Id>
Encoded<Id> encode(const Trie& trie, const Texts& texts, unsigned threads);

// The bytes that each id decodes to, laid out for copying.
class DecodingTable {
  public:
    explicit DecodingTable(const Texts& entries);

    // Total bytes of the ids. Throws std::invalid_argument naming the first id out of range.
    template <class Id>
    std::size_t measure(std::span<const Id> ids) const;

    // Writes the bytes of ids that were measured to `out`, which has room for exactly those.
    template <class Id>
    void decode(std::span<const Id> ids, std::span<char> out) const;

  private:
    struct Entry {
        std::uint32_t start, length;
    };
    std::vector<Entry> entries_;
    std::string bytes_;
};

}  // namespace spike
