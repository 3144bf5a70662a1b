#include "row_reader.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace spike {

namespace {

constexpr std::size_t first_place_line = 3;
// Larger positions are no file's; the sum of two, in bytes, does not overflow.
constexpr std::int64_t largest = INT64_MAX / 32;

bool is_unchecked(std::uint8_t flag) { return flag != 0; }

}  // namespace

Runs::Runs(std::span<const std::int64_t> table, std::size_t columns, std::size_t place_line,
           std::size_t range_bytes, std::size_t width)
    : range_bytes_(range_bytes), width_(width) {
    const std::size_t lines = columns == 0 ? 0 : table.size() / columns;
    if (place_line < first_place_line || place_line >= lines || range_bytes == 0 || width == 0 ||
        width > 8) {
        throw std::invalid_argument("runs do not fit");
    }
    firsts_ = table.subspan(0, columns);
    files_ = table.subspan(columns, columns);
    ranges_ = table.subspan(2 * columns, columns);
    places_ = table.subspan(place_line * columns, columns);
}

std::optional<Place> Runs::find(std::int64_t start, std::size_t size, std::size_t ranges) const {
    const std::size_t after =
        std::upper_bound(firsts_.begin(), firsts_.end(), start) - firsts_.begin();
    // The last column is the end of all.
    if (size == 0 || after == 0 || after == firsts_.size()) return std::nullopt;
    const std::size_t run = after - 1;
    const std::int64_t file = files_[run], base = ranges_[run], at = places_[run],
                       first = firsts_[run];
    if (file < 0 || file > INT32_MAX || base < 0 || base > largest || at < 0 || at > largest)
        return std::nullopt;
    // Firsts that do not rise would let a start be outside of its run.
    if (first < 0 || start < first || start >= firsts_[after] || firsts_[after] > largest)
        return std::nullopt;
    if (static_cast<std::size_t>(firsts_[after] - start) * width_ < size) return std::nullopt;
    const std::size_t position =
        static_cast<std::size_t>(at) + static_cast<std::size_t>(start - first) * width_;
    const std::size_t range = static_cast<std::size_t>(base) + position / range_bytes_;
    const std::size_t stop =
        static_cast<std::size_t>(base) + (position + size - 1) / range_bytes_ + 1;
    if (stop > ranges) return std::nullopt;
    return Place{static_cast<int>(file), static_cast<std::int64_t>(position), range, stop};
}

std::vector<std::size_t> unchecked_ranges(std::span<const std::int64_t> starts, const Runs& runs,
                                          std::span<std::uint8_t> unchecked, std::size_t size) {
    std::vector<std::size_t> found;
    try {
        for (const std::int64_t start : starts) {
            const auto place = runs.find(start, size, unchecked.size());
            if (!place) continue;
            for (std::size_t range = place->range; range < place->stop; ++range) {
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
        const auto place = runs.find(starts[row], size, unchecked.size());
        if (!place) return row;
        const auto flags = unchecked.subspan(place->range, place->stop - place->range);
        if (std::any_of(flags.begin(), flags.end(), is_unchecked)) return row;
        const ssize_t done =
            pread(place->file, rows.data() + row * size, size, static_cast<off_t>(place->position));
        if (done < 0 || static_cast<std::size_t>(done) != size) return row;
    }
    return starts.size();
}

}  // namespace spike
