// Driver of the arithmetic coder under sanitizers: random and hostile input.

#include "sanitize_driver.hpp"

#include "adaptive_coder.hpp"

namespace {

using namespace spike;
using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::vector<std::uint32_t> random_cells(const Shape& shape) {
    std::vector<std::uint32_t> cells(cell_count(shape.bits), 1U << 31);
    if (below(2))
        for (auto& cell : cells) cell = static_cast<std::uint32_t>(generator());
    return cells;
}

Shape random_shape() {
    const auto bits = static_cast<unsigned>(1 + below(8));
    const std::size_t side = below(50) ? 12 : at_most(300, 12);
    Shape shape{below(side), below(side), bits,
                static_cast<unsigned>(below(std::size_t{1} << bits))};
    if (shape.columns == 0) shape.rows = 0;
    return shape;
}

void round_trip() {
    const Shape shape = random_shape();
    const std::size_t most = std::size_t{1} << shape.bits,
                      largest = below(2) ? below(most) : most - 1;
    Bytes symbols(shape.rows * shape.columns), found(symbols.size());
    for (auto& symbol : symbols) symbol = static_cast<std::uint8_t>(below(largest + 1));
    const auto fresh = random_cells(shape);
    auto cells = fresh, again = fresh;
    std::string out;
    attempt([&] {
        cells = fresh;
        out.clear();
        encode(symbols, shape, cells, out);
    });
    const Bytes data = bytes_of(out);
    attempt([&] {
        again = fresh;
        decode(data, shape, again, found);
    });
    require(found == symbols && again == cells, "a matrix did not come back");
    for (int trial = 0; trial < 8; ++trial) {
        Bytes wrong = data;
        if (below(2)) wrong.resize(below(data.size() + 9));
        for (std::size_t n = below(4); n-- && !wrong.empty();) {
            wrong[below(wrong.size())] = static_cast<std::uint8_t>(below(256));
        }
        auto other = random_cells(shape);
        try {
            decode(wrong, shape, other, found);
        } catch (const std::invalid_argument&) {
        }
    }
}

// Sizes that do not fit each other.
void hostile() {
    const Shape shape{2, 3, 4, 7};
    Bytes symbols(6, 1), few(5, 1), large(6, 16);
    std::vector<std::uint32_t> cells(cell_count(4), 1U << 31), short_cells(cells.size() - 1);
    std::string out;
    must_refuse([&] { encode(few, shape, cells, out); }, "too few symbols");
    must_refuse([&] { encode(large, shape, cells, out); }, "a symbol of too many bits");
    must_refuse([&] { encode(symbols, shape, short_cells, out); }, "too few cells");
    must_refuse([&] { encode(symbols, {2, 3, 9, 7}, cells, out); }, "too many bits");
    must_refuse([&] { encode(symbols, {2, 3, 0, 0}, cells, out); }, "no bits");
    must_refuse([&] { encode(symbols, {2, 3, 4, 16}, cells, out); }, "a centre that is no symbol");
    must_refuse([&] { encode(symbols, {std::size_t{1} << 63, 2, 4, 7}, cells, out); },
                "sizes that overflow");
    must_refuse([&] { encode({}, {2, 0, 4, 7}, cells, out); }, "rows without columns");
    must_refuse([&] { decode({}, shape, cells, symbols); }, "no bytes");
    must_refuse([&] { decode(symbols, shape, cells, few); }, "room for too few");
    // Columns without rows take no memory.
    const Shape wide{0, SIZE_MAX - below(9), 4, 7};
    encode({}, wide, cells, out);
    decode(bytes_of(out), wide, cells, {});
    const auto odd = [] { return below(2) ? below(20) : SIZE_MAX / (1 + below(9)); };
    try {
        Bytes any(below(20));
        const Shape strange{odd(), odd(), static_cast<unsigned>(odd()),
                            static_cast<unsigned>(odd())};
        decode(large, strange, cells, any);
    } catch (const std::invalid_argument&) {
    }
}

}  // namespace

int main(int argc, char** argv) { return drive(argc, argv, 400, {round_trip, hostile}); }
