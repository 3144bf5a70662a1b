// Rows of tokens, read by position from the files where they are. A memory map would be as fast,
// but where a file was cut off it ends the process. All that is out of the ordinary is left to the
// caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace spike {

// Where a row is: `range` to `stop` are the numbers of the ranges that it touches.
struct Place {
    int file;
    std::int64_t position;
    std::size_t range, stop;
};

// The table that _reading.pyi describes: [lines, columns], row after row.
class Runs {
  public:
    // Throws std::invalid_argument for sizes that do not fit.
    Runs(std::span<const std::int64_t> table, std::size_t columns, std::size_t place_line,
         std::size_t range_bytes, std::size_t width);

    // Nothing for a row of `size` bytes that goes beyond its run or whose file is not open, and for
    // a table that contradicts itself or names a range from `ranges` on.
    std::optional<Place> find(std::int64_t start, std::size_t size, std::size_t ranges) const;

  private:
    std::span<const std::int64_t> firsts_, files_, ranges_, places_;
    std::size_t range_bytes_, width_;
};

// The unchecked ranges (1) that rows of `size` bytes touch; they become 2, so that each is named
// once.
std::vector<std::size_t> unchecked_ranges(std::span<const std::int64_t> starts, const Runs& runs,
                                          std::span<std::uint8_t> unchecked, std::size_t size);

// Fills rows of `size` bytes from `begin` on; returns the first that is not filled, or how many
// there are.
std::size_t read_rows(std::span<const std::int64_t> starts, const Runs& runs,
                      std::span<const std::uint8_t> unchecked, std::span<std::uint8_t> rows,
                      std::size_t size, std::size_t begin);

}  // namespace spike
