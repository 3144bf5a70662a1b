// Decoder: concatenates the bytes of token ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "texts.hpp"

namespace spike {

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
