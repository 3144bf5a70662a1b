#include "adaptive_coder.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>

namespace spike {
namespace {

constexpr std::size_t CLASSES = 64;
constexpr std::uint64_t PRIOR = 16;  // symbols that a mean counts for before there are any
constexpr unsigned COUNT_BITS = 10;
constexpr std::uint32_t RAREST = 16, CERTAIN = 1U << 16, MOST_SEEN = 255;

constexpr auto RATES = [] {
    std::array<std::uint32_t, MOST_SEEN + 1> rates{};
    for (std::uint32_t seen = 0; seen <= MOST_SEEN; ++seen)
        rates[seen] = 5 * CERTAIN / (5 * seen + 8);
    return rates;
}();

// The probability that the next bit is 1, of 2^16, neither 0 nor 1.
std::uint32_t probability(std::uint32_t cell) {
    return std::clamp(cell >> 16, RAREST, CERTAIN - RAREST);
}

std::uint32_t learned(std::uint32_t cell, bool bit) {
    const std::uint32_t seen = std::min(cell & ((1U << COUNT_BITS) - 1), MOST_SEEN);
    const std::int64_t old = cell >> COUNT_BITS, aim = bit ? (1 << 22) - 1 : 0;
    const std::int64_t moved = old + (((aim - old) * RATES[seen]) >> 16);
    return static_cast<std::uint32_t>(moved << COUNT_BITS) | std::min(seen + 1, MOST_SEEN);
}

// 64 · log2 of a number above 0, between powers of two along straight lines.
std::int64_t level(std::uint64_t number) {
    const int whole = std::bit_width(number) - 1;
    const std::uint64_t part = whole >= 6 ? number >> (whole - 6) : number << (6 - whole);
    return 64 * whole + static_cast<std::int64_t>(part & 63);
}

// Expects how large the next symbol is, from those before it in its row and in its column.
class Expectation {
  public:
    explicit Expectation(const Shape& shape)
        : centre_(shape.centre),
          start_((std::uint64_t{256} << shape.bits) / 6),
          columns_(shape.columns, 0) {
        begin_row(0);
    }

    void begin_row(std::size_t row) {
        row_number_ = row;
        row_ = 0;
        const std::uint64_t count = std::uint64_t{row} * columns_.size();
        mean_ = std::max<std::uint64_t>((256 * total_ + PRIOR * start_) / (count + PRIOR), 1);
        mean_level_ = level(mean_);
    }

    std::size_t next_class(std::size_t column) const {
        const std::uint64_t prior = PRIOR * mean_;
        const std::uint64_t in_row = (256 * row_ + prior) / (column + PRIOR);
        const std::uint64_t in_column = (256 * columns_[column] + prior) / (row_number_ + PRIOR);
        const std::int64_t expected = level(std::max<std::uint64_t>(in_row, 1)) +
                                      level(std::max<std::uint64_t>(in_column, 1)) - mean_level_;
        return static_cast<std::size_t>(std::clamp<std::int64_t>(expected >> 4, 0, CLASSES - 1));
    }

    void see(std::size_t column, unsigned symbol) {
        const std::uint64_t size = symbol > centre_ ? symbol - centre_ : centre_ - symbol;
        row_ += size;
        columns_[column] += size;
        total_ += size;
    }

  private:
    unsigned centre_;
    std::uint64_t start_, row_ = 0, total_ = 0, mean_ = 1;
    std::int64_t mean_level_ = 0;
    std::size_t row_number_ = 0;
    std::vector<std::uint64_t> columns_;
};

// The interval of numbers that all that was coded so far leaves.
struct Interval {
    std::uint32_t low = 0, high = 0xFFFFFFFF;

    // The last number of the lower part, which belongs to the bit 1.
    std::uint32_t middle(std::uint32_t chance) const {
        return low + static_cast<std::uint32_t>((std::uint64_t{high - low} * chance) >> 16);
    }
    void take(bool bit, std::uint32_t middle) {
        if (bit)
            high = middle;
        else
            low = middle + 1;
    }
    bool settled() const { return ((low ^ high) >> 24) == 0; }
    void shift() {
        low <<= 8;
        high = high << 8 | 0xFF;
    }
};

class Encoder {
  public:
    explicit Encoder(std::string& out) : out_(out) {}

    void code(std::uint32_t& cell, bool bit) {
        interval_.take(bit, interval_.middle(probability(cell)));
        cell = learned(cell, bit);
        for (; interval_.settled(); interval_.shift())
            out_.push_back(static_cast<char>(interval_.low >> 24));
    }

    void finish() {
        for (int byte = 0; byte < 4; ++byte, interval_.shift()) {
            out_.push_back(static_cast<char>(interval_.low >> 24));
        }
    }

  private:
    std::string& out_;
    Interval interval_;
};

class Decoder {
  public:
    explicit Decoder(std::span<const std::uint8_t> bytes) : bytes_(bytes) {
        for (int byte = 0; byte < 4; ++byte) number_ = number_ << 8 | next();
    }

    bool code(std::uint32_t& cell) {
        const std::uint32_t middle = interval_.middle(probability(cell));
        const bool bit = number_ <= middle;
        interval_.take(bit, middle);
        cell = learned(cell, bit);
        for (; interval_.settled(); interval_.shift()) number_ = number_ << 8 | next();
        return bit;
    }

    void finish() const {
        if (at_ != bytes_.size()) throw std::invalid_argument("bytes are left over");
    }

  private:
    std::uint32_t next() {
        if (at_ == bytes_.size()) throw std::invalid_argument("the bytes end too early");
        return bytes_[at_++];
    }

    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
    std::uint32_t number_ = 0;
    Interval interval_;
};

void check(const Shape& shape, std::size_t symbols, std::size_t cells) {
    if (shape.bits < 1 || shape.bits > 8) throw std::invalid_argument("bits are not 1 to 8");
    if (cells != cell_count(shape.bits))
        throw std::invalid_argument("the cells are of another size");
    // A matrix without columns has no rows either, so that nobody walks through them.
    if (shape.columns == 0
            ? shape.rows != 0 || symbols != 0
            : symbols % shape.columns != 0 || symbols / shape.columns != shape.rows) {
        throw std::invalid_argument("the symbols are not rows times columns");
    }
    if (shape.centre >= 1U << shape.bits) throw std::invalid_argument("the centre is no symbol");
}

// Visits every symbol: `code(first cell of its tree)` returns it.
template <class Code>
void visit(const Shape& shape, std::span<std::uint32_t> cells, const Code& code) {
    // Its columns may be more than there is memory for.
    if (shape.rows == 0) return;
    Expectation expectation(shape);
    std::size_t at = 0;
    for (std::size_t row = 0; row < shape.rows; ++row) {
        expectation.begin_row(row);
        for (std::size_t column = 0; column < shape.columns; ++column, ++at) {
            const std::size_t first = expectation.next_class(column) << shape.bits;
            expectation.see(column, code(at, cells.data() + first));
        }
    }
}

}  // namespace

std::size_t cell_count(unsigned bits) { return CLASSES << bits; }

void encode(std::span<const std::uint8_t> symbols, const Shape& shape,
            std::span<std::uint32_t> cells, std::string& out) {
    check(shape, symbols.size(), cells.size());
    for (const std::uint8_t symbol : symbols) {
        if (symbol >> shape.bits) throw std::invalid_argument("a symbol has too many bits");
    }
    Encoder encoder(out);
    visit(shape, cells, [&](std::size_t at, std::uint32_t* tree) {
        unsigned node = 1;
        for (unsigned level = shape.bits; level-- > 0;) {
            const bool bit = (symbols[at] >> level) & 1;
            encoder.code(tree[node], bit);
            node = node << 1 | bit;
        }
        return unsigned{symbols[at]};
    });
    encoder.finish();
}

void decode(std::span<const std::uint8_t> bytes, const Shape& shape, std::span<std::uint32_t> cells,
            std::span<std::uint8_t> symbols) {
    check(shape, symbols.size(), cells.size());
    Decoder decoder(bytes);
    visit(shape, cells, [&](std::size_t at, std::uint32_t* tree) {
        unsigned node = 1;
        for (unsigned level = 0; level < shape.bits; ++level)
            node = node << 1 | decoder.code(tree[node]);
        const unsigned symbol = node - (1U << shape.bits);
        symbols[at] = static_cast<std::uint8_t>(symbol);
        return symbol;
    });
    decoder.finish();
}

}  // namespace spike
