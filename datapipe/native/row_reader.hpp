// Positioned reads (pread) of rows of tokens. A memory map would be as fast, but ends the process
// where a file was truncated. Rows that cannot be read here are left to the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace spike {

// Location of a row in its file; it touches the ranges `range` … `stop` - 1.
struct RowLocation {
    int file;
    std::int64_t position;
    std::size_t range, stop;
};

// View of the table [lines, columns] of runs that _reading.pyi describes.
class Runs {
  public:
    // Throws std::invalid_argument for sizes that do not fit.
    Runs(std::span<const std::int64_t> table, std::size_t columns, std::size_t offset_line,
         std::size_t range_bytes, std::size_t width);

    // Nothing for a row of `size` bytes that goes beyond its run or whose file is not open, nor
    // where the table contradicts itself or names a range from `ranges` on.
    std::optional<RowLocation> find(std::int64_t start, std::size_t size, std::size_t ranges) const;

  private:
    std::span<const std::int64_t> first_tokens_, files_, first_ranges_, offsets_;
    std::size_t range_bytes_, width_;
};

// The unchecked ranges (1) that rows of `size` bytes touch. They become 2, so that each is returned
// once.
std::vector<std::size_t> unchecked_ranges(std::span<const std::int64_t> starts, const Runs& runs,
                                          std::span<std::uint8_t> unchecked, std::size_t size);

// Fills rows of `size` bytes from `begin` on; returns the first one that is not filled, or the
// number of rows.
std::size_t read_rows(std::span<const std::int64_t> starts, const Runs& runs,
                      std::span<const std::uint8_t> unchecked, std::span<std::uint8_t> rows,
                      std::size_t size, std::size_t begin);

}  // namespace spike
