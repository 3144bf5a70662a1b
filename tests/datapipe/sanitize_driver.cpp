// Reads rows by tables that fit and by tables of random numbers; sanitizers see what goes wrong.

#include <cstdio>
#include <cstdlib>
#include <algorithm>
#include <random>
#include <vector>

#include <unistd.h>

#include "row_reader.hpp"

namespace {

std::mt19937_64 numbers(7);

// A number that is small, near a border of its type, or any.
std::int64_t odd_number(int file) {
    switch (numbers() % 6) {
        case 0: return static_cast<std::int64_t>(numbers());
        case 1: return INT64_MAX - static_cast<std::int64_t>(numbers() % 3);
        case 2: return -static_cast<std::int64_t>(numbers() % 3);
        case 3: return file;
        default: return static_cast<std::int64_t>(numbers() % 4000);
    }
}

void expect(bool held, const char* what) {
    if (held) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
}

}  // namespace

int main() {
    std::FILE* const file = std::tmpfile();
    std::vector<std::uint8_t> bytes(4096);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(numbers());
    expect(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() && std::fflush(file) == 0, "write");
    const int number = fileno(file);
    for (int round = 0; round < 20000; ++round) {
        // Tokens of two bytes: 0 to 999 from byte 64 on, 1000 to 1499 from byte 3000 on.
        std::vector<std::int64_t> table = {0, 1000, 1500, number, number, -1, 0, 0, 16, 64, 3000, 0};
        std::vector<std::int64_t> starts(1 + numbers() % 5);
        const bool odd = round % 2 == 1;
        for (auto& start : starts) start = odd ? odd_number(number) : static_cast<std::int64_t>(numbers() % 1600) - 50;
        for (auto& cell : table) {
            if (odd && numbers() % 2 == 0) cell = odd_number(number);
        }
        std::vector<std::uint8_t> unchecked(odd ? numbers() % 20 : 16, 1);
        const std::size_t size = 2 * (1 + numbers() % 200);
        std::vector<std::uint8_t> rows(starts.size() * size);
        const spike::Runs runs(table, 3, 3, 256, 2);
        expect(spike::read_rows(starts, runs, unchecked, rows, size, 0) == 0, "an unchecked range was read");
        for (const std::size_t range : spike::unchecked_ranges(starts, runs, unchecked, size)) unchecked[range] = 0;
        const std::size_t done = spike::read_rows(starts, runs, unchecked, rows, size, 0);
        for (std::size_t row = 0; !odd && row < done; ++row) {
            const std::size_t at = starts[row] < 1000 ? 64 + 2 * starts[row] : 3000 + 2 * (starts[row] - 1000);
            expect(std::equal(rows.begin() + row * size, rows.begin() + (row + 1) * size, bytes.begin() + at), "bytes");
        }
        if (!odd && done < starts.size()) {
            const std::int64_t start = starts[done], stop = start < 1000 ? 1000 : 1500;
            expect(start < 0 || start + static_cast<std::int64_t>(size / 2) > stop, "a row was left out");
        }
    }
    std::puts("fine");
}
