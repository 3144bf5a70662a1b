// Arithmetic coding of matrices of small symbols; docs/formats.md, section 9, has every number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace spike {

// How a matrix is laid out: symbols of `bits` bits (1 to 8), row after row, whose size is their
// distance to `centre`.
struct Shape {
    std::size_t rows, columns;
    unsigned bits, centre;
};

// A cell for each class of expected sizes and each node of a tree of `bits` levels.
std::size_t cell_count(unsigned bits);

// Appends the coded symbols to `out`; `cells`, of `cell_count`, learn. Throws std::invalid_argument
// where sizes do not fit or a symbol is too large.
void encode(std::span<const std::uint8_t> symbols, const Shape& shape,
            std::span<std::uint32_t> cells, std::string& out);

// The other way. Throws std::invalid_argument where the bytes end too early or are left over.
void decode(std::span<const std::uint8_t> bytes, const Shape& shape, std::span<std::uint32_t> cells,
            std::span<std::uint8_t> symbols);

}  // namespace spike
