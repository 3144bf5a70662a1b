// Adaptive binary arithmetic coder for matrices of small symbols; docs/formats.md, section 9, is
// the specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace spike {

// A row-major matrix of symbols of `bits` bits (1 to 8), whose magnitude is their distance to
// `centre`.
struct Shape {
    std::size_t rows, columns;
    unsigned bits, centre;
};

// Number of cells: adaptive probabilities of one bit, for each class of expected magnitude and each
// node of a binary tree of `bits` levels.
std::size_t cell_count(unsigned bits);

// Appends the code of the symbols to `out` and updates the `cells`. Throws std::invalid_argument
// where sizes do not fit or a symbol is too large.
void encode(std::span<const std::uint8_t> symbols, const Shape& shape,
            std::span<std::uint32_t> cells, std::string& out);

// Decodes into `symbols` and updates the `cells` in the same way. Throws std::invalid_argument
// where the bytes end too early or are left over.
void decode(std::span<const std::uint8_t> bytes, const Shape& shape, std::span<std::uint32_t> cells,
            std::span<std::uint8_t> symbols);

}  // namespace spike
