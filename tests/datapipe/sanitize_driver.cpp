// Driver of the row reader under sanitizers: tables that fit and random ones, and a file that is
// truncated in between.

#include "sanitize_driver.hpp"

#include <algorithm>
#include <optional>

#include "row_reader.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

// A number that is small, near a limit of its type, or any.
std::int64_t odd_number(int file) {
    switch (below(6)) {
        case 0:
            return static_cast<std::int64_t>(std::uint64_t{generator()} << 32 | generator());
        case 1:
            return INT64_MAX / (below(2) ? 1 : 32) - static_cast<std::int64_t>(below(3));
        case 2:
            return -static_cast<std::int64_t>(below(3));
        case 3:
            return file;
        default:
            return static_cast<std::int64_t>(below(4000));
    }
}

std::size_t odd_size(std::size_t usual) {
    return below(4) ? usual : static_cast<std::size_t>(odd_number(1));
}

struct File {
    File() {
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(std::rand());
        require(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() &&
                    std::fflush(file) == 0,
                "write");
    }
    std::FILE* const file = std::tmpfile();
    const int number = fileno(file);
    Bytes bytes = Bytes(4096);
};

File& file() {
    static File only;
    return only;
}

// Tokens of two bytes: 0 to 999 from byte 64 on, 1000 to 1499 from byte 3000 on.
std::vector<std::int64_t> fitting_table() {
    const int number = file().number;
    return {0, 1000, 1500, number, number, -1, 0, 0, 16, 64, 3000, 0};
}

void rows_that_fit() {
    const auto table = fitting_table();
    std::vector<std::int64_t> starts(1 + below(5));
    for (auto& start : starts) start = static_cast<std::int64_t>(below(1600)) - 50;
    Bytes unchecked(16, 1);
    const std::size_t size = 2 * (1 + below(200)), begin = below(starts.size() + 2);
    Bytes rows(starts.size() * size);
    const spike::Runs runs(table, 3, 3, 256, 2);
    require(spike::read_rows(starts, runs, unchecked, rows, size, 0) == 0,
            "an unchecked range was read");
    std::vector<std::size_t> ranges;
    const bool passed =
        passes([&] { ranges = spike::unchecked_ranges(starts, runs, unchecked, size); });
    if (!passed) {
        // Ranges that were not returned must be returned by the next call.
        for (auto& flag : unchecked) require(flag == 1, "a range is lost");
        ranges = spike::unchecked_ranges(starts, runs, unchecked, size);
    }
    for (const std::size_t range : ranges) unchecked[range] = 0;
    // No row beyond the truncated end may be filled.
    const std::size_t end = below(4) ? file().bytes.size() : below(file().bytes.size());
    require(ftruncate(file().number, static_cast<off_t>(end)) == 0, "cut");
    const std::size_t done = spike::read_rows(starts, runs, unchecked, rows, size, begin);
    const auto place = [](std::int64_t start) {
        return static_cast<std::size_t>(start < 1000 ? 64 + 2 * start : 3000 + 2 * (start - 1000));
    };
    for (std::size_t row = begin; row < done; ++row) {
        const auto from = file().bytes.begin() + static_cast<std::ptrdiff_t>(place(starts[row]));
        const auto found = rows.begin() + static_cast<std::ptrdiff_t>(row * size);
        require(std::equal(found, found + static_cast<std::ptrdiff_t>(size), from),
                "a row has other bytes");
    }
    if (done < starts.size()) {
        const std::int64_t start = starts[done], stop = start < 1000 ? 1000 : 1500;
        const bool outside = start < 0 || start + static_cast<std::int64_t>(size / 2) > stop;
        require(outside || place(start) + size > end, "a row was left out");
    }
    require(pwrite(file().number, file().bytes.data(), file().bytes.size(), 0) == 4096,
            "write again");
}

void hostile() {
    auto table = fitting_table();
    for (auto& cell : table) {
        if (below(2)) cell = odd_number(file().number);
    }
    if (below(4) == 0) table.resize(below(table.size() + 1));
    std::vector<std::int64_t> starts(below(6));
    for (auto& start : starts) start = odd_number(file().number);
    Bytes unchecked(below(20), 1);
    const std::size_t size = odd_size(below(400));
    Bytes rows(below(8) ? starts.size() * std::min<std::size_t>(size, 400) : below(400));
    try {
        const spike::Runs runs(table, odd_size(below(5)), odd_size(below(5)), odd_size(256),
                               odd_size(below(10)));
        for (const std::size_t range : spike::unchecked_ranges(starts, runs, unchecked, size))
            unchecked.at(range) = 0;
        for (auto& flag : unchecked) flag = below(2) ? 0 : flag;
        spike::read_rows(starts, runs, unchecked, rows, size, odd_size(below(6)));
    } catch (const std::invalid_argument&) {
    }
}

}  // namespace

int main(int argc, char** argv) { return drive(argc, argv, 10'000, {rows_that_fit, hostile}); }
