// Runs the coder of weights on random and hostile input; the sanitizers stop it at the first fault.

#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "adaptive_coder.hpp"

namespace {

using namespace spike;

std::mt19937 generator(1);
unsigned below(unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(generator); }

void require(bool truth, const char* what) {
    if (!truth) throw std::runtime_error(what);
}

template <class Work>
void must_refuse(Work work, const char* what) {
    try {
        work();
    } catch (const std::invalid_argument&) {
        return;
    }
    throw std::runtime_error(what);
}

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::vector<std::uint32_t> random_cells(const Shape& shape) {
    std::vector<std::uint32_t> cells(cell_count(shape.bits), 1U << 31);
    if (below(2)) for (auto& cell : cells) cell = generator();
    return cells;
}

void round_trip(const Shape& shape) {
    const unsigned largest = below(2) ? below(1U << shape.bits) : (1U << shape.bits) - 1;
    std::vector<std::uint8_t> symbols(shape.rows * shape.columns), found(symbols.size());
    for (auto& symbol : symbols) symbol = static_cast<std::uint8_t>(below(largest + 1));
    const auto fresh = random_cells(shape);
    auto cells = fresh;
    std::string out;
    encode(symbols, shape, cells, out);
    auto again = fresh;
    const auto data = bytes_of(out);
    decode(data, shape, again, found);
    require(found == symbols && again == cells, "a matrix did not come back");
    for (int trial = 0; trial < 8; ++trial) {
        auto wrong = data;
        if (below(2)) wrong.resize(below(static_cast<unsigned>(data.size() + 1)));
        for (unsigned n = below(4); n-- && !wrong.empty();) {
            wrong[below(static_cast<unsigned>(wrong.size()))] = static_cast<std::uint8_t>(below(256));
        }
        auto other = random_cells(shape);
        try {
            decode(wrong, shape, other, found);
        } catch (const std::invalid_argument&) {
        }
    }
}

void refusals() {
    const Shape shape{2, 3, 4, 7};
    std::vector<std::uint8_t> symbols(6, 1), few(5, 1), large(6, 16);
    std::vector<std::uint32_t> cells(cell_count(4), 1U << 31), short_cells(cells.size() - 1);
    std::string out;
    must_refuse([&] { encode(few, shape, cells, out); }, "too few symbols");
    must_refuse([&] { encode(large, shape, cells, out); }, "a symbol of too many bits");
    must_refuse([&] { encode(symbols, shape, short_cells, out); }, "too few cells");
    must_refuse([&] { encode(symbols, {2, 3, 9, 7}, cells, out); }, "too many bits");
    must_refuse([&] { encode(symbols, {2, 3, 0, 0}, cells, out); }, "no bits");
    must_refuse([&] { encode(symbols, {std::size_t{1} << 63, 2, 4, 7}, cells, out); }, "sizes that overflow");
    must_refuse([&] { decode({}, shape, cells, symbols); }, "no bytes");
    must_refuse([&] { decode(symbols, shape, cells, few); }, "room for too few");
}

}  // namespace

int main() {
    try {
        for (int trial = 0; trial < 400; ++trial) {
            const unsigned bits = 1 + below(8);
            round_trip({1 + below(12), 1 + below(12), bits, below(1U << bits)});
        }
        round_trip({300, 70, 8, 0});
        round_trip({0, 5, 3, 3});
        refusals();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
