#include "row_reader.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace spike {

namespace {

constexpr std::size_t FIRST_OFFSET_LINE = 3;
// No file is larger; the sum of two, times 8 bytes, does not overflow.
constexpr std::int64_t MAX_OFFSET = INT64_MAX / 32;

bool is_unchecked(std::uint8_t flag) { return flag != 0; }

}  // namespace

Runs::Runs(std::span<const std::int64_t> table, std::size_t columns, std::size_t offset_line,
           std::size_t range_bytes, std::size_t width)
    : range_bytes_(range_bytes), width_(width) {
    const std::size_t lines = columns == 0 ? 0 : table.size() / columns;
    if (offset_line < FIRST_OFFSET_LINE || offset_line >= lines || range_bytes == 0 || width == 0 ||
        width > 8) {
        throw std::invalid_argument("runs do not fit");
    }
    first_tokens_ = table.subspan(0, columns);
    files_ = table.subspan(columns, columns);
    first_ranges_ = table.subspan(2 * columns, columns);
    offsets_ = table.subspan(offset_line * columns, columns);
}

std::optional<RowLocation> Runs::find(std::int64_t start, std::size_t size,
                                      std::size_t ranges) const {
    const std::size_t after =
        std::upper_bound(first_tokens_.begin(), first_tokens_.end(), start) - first_tokens_.begin();
    // The last column is the end of the last run.
    if (size == 0 || after == 0 || after == first_tokens_.size()) return std::nullopt;
    const std::size_t run = after - 1;
    const std::int64_t file = files_[run], base = first_ranges_[run], at = offsets_[run],
                       first = first_tokens_[run];
    if (file < 0 || file > INT32_MAX || base < 0 || base > MAX_OFFSET || at < 0 || at > MAX_OFFSET)
        return std::nullopt;
    // Where first tokens do not rise, a start may be outside of its run.
    if (first < 0 || start < first || start >= first_tokens_[after] ||
        first_tokens_[after] > MAX_OFFSET)
        return std::nullopt;
    if (static_cast<std::size_t>(first_tokens_[after] - start) * width_ < size) return std::nullopt;
    const std::size_t position =
        static_cast<std::size_t>(at) + static_cast<std::size_t>(start - first) * width_;
    const std::size_t range = static_cast<std::size_t>(base) + position / range_bytes_;
    const std::size_t stop =
        static_cast<std::size_t>(base) + (position + size - 1) / range_bytes_ + 1;
    if (stop > ranges) return std::nullopt;
    return RowLocation{static_cast<int>(file), static_cast<std::int64_t>(position), range, stop};
}

std::vector<std::size_t> unchecked_ranges(std::span<const std::int64_t> starts, const Runs& runs,
                                          std::span<std::uint8_t> unchecked, std::size_t size) {
    std::vector<std::size_t> found;
    try {
        for (const std::int64_t start : starts) {
            const auto location = runs.find(start, size, unchecked.size());
            if (!location) continue;
            for (std::size_t range = location->range; range < location->stop; ++range) {
                if (unchecked[range] != 1) continue;
                found.push_back(range);
                unchecked[range] = 2;
            }
        }
    } catch (...) {
        for (const std::size_t range : found) unchecked[range] = 1;
        throw;
    }
    return found;
}

std::size_t read_rows(std::span<const std::int64_t> starts, const Runs& runs,
                      std::span<const std::uint8_t> unchecked, std::span<std::uint8_t> rows,
                      std::size_t size, std::size_t begin) {
    if (size == 0 || rows.size() / size < starts.size())
        throw std::invalid_argument("rows do not fit");
    for (std::size_t row = begin; row < starts.size(); ++row) {
        const auto location = runs.find(starts[row], size, unchecked.size());
        if (!location) return row;
        const auto flags = unchecked.subspan(location->range, location->stop - location->range);
        if (std::any_of(flags.begin(), flags.end(), is_unchecked)) return row;
        const ssize_t done = pread(location->file, rows.data() + row * size, size,
                                   static_cast<off_t>(location->position));
        if (done < 0 || static_cast<std::size_t>(done) != size) return row;
    }
    return starts.size();
}

}  // namespace spike
