#include "adaptive_coder.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>

namespace spike {
namespace {

constexpr std::size_t CLASSES = 64;
constexpr std::uint64_t PRIOR_WEIGHT = 16;  // of the initial mean, in symbols
constexpr unsigned COUNT_BITS = 10;
constexpr std::uint32_t MIN_PROBABILITY = 16, ONE = 1U << 16, MAX_COUNT = 255;

constexpr auto ADAPTATION_RATES = [] {
    std::array<std::uint32_t, MAX_COUNT + 1> rates{};
    for (std::uint32_t count = 0; count <= MAX_COUNT; ++count)
        rates[count] = 5 * ONE / (5 * count + 8);
    return rates;
}();

// The probability that the next bit is 1, in units of 2^-16, clamped away from 0 and 1.
std::uint32_t probability(std::uint32_t cell) {
    return std::clamp(cell >> 16, MIN_PROBABILITY, ONE - MIN_PROBABILITY);
}

// The cell after a bit: its probability moves towards the bit, faster the less it was used.
std::uint32_t updated(std::uint32_t cell, bool bit) {
    const std::uint32_t count = std::min(cell & ((1U << COUNT_BITS) - 1), MAX_COUNT);
    const std::int64_t old = cell >> COUNT_BITS, target = bit ? (1 << 22) - 1 : 0;
    const std::int64_t moved = old + (((target - old) * ADAPTATION_RATES[count]) >> 16);
    return static_cast<std::uint32_t>(moved << COUNT_BITS) | std::min(count + 1, MAX_COUNT);
}

// 64 · log2 of a number above 0, linear between powers of two.
std::int64_t log2_64ths(std::uint64_t number) {
    const int whole = std::bit_width(number) - 1;
    const std::uint64_t part = whole >= 6 ? number >> (whole - 6) : number << (6 - whole);
    return 64 * whole + static_cast<std::int64_t>(part & 63);
}

// Context of a symbol: its expected magnitude, row mean × column mean / mean of all before.
class MagnitudeContext {
  public:
    explicit MagnitudeContext(const Shape& shape)
        : centre_(shape.centre),
          initial_mean_((std::uint64_t{256} << shape.bits) / 6),
          column_sums_(shape.columns, 0) {
        start_row(0);
    }

    void start_row(std::size_t row) {
        row_index_ = row;
        row_sum_ = 0;
        const std::uint64_t symbols = std::uint64_t{row} * column_sums_.size();
        mean_ = std::max<std::uint64_t>(
            (256 * total_sum_ + PRIOR_WEIGHT * initial_mean_) / (symbols + PRIOR_WEIGHT), 1);
        mean_log2_ = log2_64ths(mean_);
    }

    std::size_t class_of(std::size_t column) const {
        const std::uint64_t prior = PRIOR_WEIGHT * mean_;
        const std::uint64_t in_row = (256 * row_sum_ + prior) / (column + PRIOR_WEIGHT);
        const std::uint64_t in_column =
            (256 * column_sums_[column] + prior) / (row_index_ + PRIOR_WEIGHT);
        const std::int64_t expected = log2_64ths(std::max<std::uint64_t>(in_row, 1)) +
                                      log2_64ths(std::max<std::uint64_t>(in_column, 1)) -
                                      mean_log2_;
        return static_cast<std::size_t>(std::clamp<std::int64_t>(expected >> 4, 0, CLASSES - 1));
    }

    void add(std::size_t column, unsigned symbol) {
        const std::uint64_t size = symbol > centre_ ? symbol - centre_ : centre_ - symbol;
        row_sum_ += size;
        column_sums_[column] += size;
        total_sum_ += size;
    }

  private:
    unsigned centre_;
    std::uint64_t initial_mean_, row_sum_ = 0, total_sum_ = 0, mean_ = 1;
    std::int64_t mean_log2_ = 0;
    std::size_t row_index_ = 0;
    std::vector<std::uint64_t> column_sums_;
};

// Arithmetic coding interval: all 32-bit numbers that start the code of the bits so far, after the
// bytes that are written.
//
// Claim: the decoder returns the encoder's bits, whatever the probabilities, and both use the same
// number of bytes.
// Reason: low < high holds at the start, and after `shift`s, for then the highest bytes differ. The
// probability p is from 16 to 2^16 - 16, so the part of the width that `split` takes is less than
// the width: low <= split < high. Both parts, low … split for a 1 and split + 1 … high for a 0,
// have at least one number: every bit can be coded, and the interval of a sequence lies in those of
// its beginnings. A byte is written when low and high, and so all numbers between, begin with it.
// The encoder ends with the 4 bytes of low, so its code as a number is in every interval. The
// decoder starts from the same interval and cells and keeps 4 bytes of the code in the interval's
// scale, thus code <= split exactly where the encoder took the part of a 1. It reads 4 bytes first
// and one for each shift, as many as the encoder writes. Where low and high straddle a byte
// boundary the width may be small, and the rounding of `split` costs bits of length; it never
// changes a symbol.
struct Interval {
    std::uint32_t low = 0, high = 0xFFFFFFFF;

    // The last number of the lower part, which is for the bit 1.
    std::uint32_t split(std::uint32_t p) const {
        return low + static_cast<std::uint32_t>((std::uint64_t{high - low} * p) >> 16);
    }
    void narrow(bool bit, std::uint32_t split) {
        if (bit)
            high = split;
        else
            low = split + 1;
    }
    bool top_byte_is_final() const { return ((low ^ high) >> 24) == 0; }
    void shift() {
        low <<= 8;
        high = high << 8 | 0xFF;
    }
};

class Encoder {
  public:
    explicit Encoder(std::string& out) : out_(out) {}

    void code(std::uint32_t& cell, bool bit) {
        interval_.narrow(bit, interval_.split(probability(cell)));
        cell = updated(cell, bit);
        for (; interval_.top_byte_is_final(); interval_.shift())
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
        for (int byte = 0; byte < 4; ++byte) code_ = code_ << 8 | next();
    }

    bool code(std::uint32_t& cell) {
        const std::uint32_t split = interval_.split(probability(cell));
        const bool bit = code_ <= split;
        interval_.narrow(bit, split);
        cell = updated(cell, bit);
        for (; interval_.top_byte_is_final(); interval_.shift()) code_ = code_ << 8 | next();
        return bit;
    }

    void finish() const {
        if (position_ != bytes_.size()) throw std::invalid_argument("bytes are left over");
    }

  private:
    std::uint32_t next() {
        if (position_ == bytes_.size()) throw std::invalid_argument("the bytes end too early");
        return bytes_[position_++];
    }

    std::span<const std::uint8_t> bytes_;
    std::size_t position_ = 0;
    std::uint32_t code_ = 0;
    Interval interval_;
};

void check(const Shape& shape, std::size_t symbols, std::size_t cells) {
    if (shape.bits < 1 || shape.bits > 8) throw std::invalid_argument("bits are not 1 to 8");
    if (cells != cell_count(shape.bits))
        throw std::invalid_argument("the number of cells does not fit the bits");
    // A matrix without columns has no rows either, so no loop runs over empty rows.
    if (shape.columns == 0
            ? shape.rows != 0 || symbols != 0
            : symbols % shape.columns != 0 || symbols / shape.columns != shape.rows) {
        throw std::invalid_argument("the symbols are not rows times columns");
    }
    if (shape.centre >= 1U << shape.bits) throw std::invalid_argument("the centre is no symbol");
}

// Calls code(index, cells of its tree), which returns the symbol, for each symbol in order.
template <class Code>
void for_each_symbol(const Shape& shape, std::span<std::uint32_t> cells, const Code& code) {
    // Without rows the number of columns may be larger than memory.
    if (shape.rows == 0) return;
    MagnitudeContext magnitudes(shape);
    std::size_t at = 0;
    for (std::size_t row = 0; row < shape.rows; ++row) {
        magnitudes.start_row(row);
        for (std::size_t column = 0; column < shape.columns; ++column, ++at) {
            const std::size_t first = magnitudes.class_of(column) << shape.bits;
            magnitudes.add(column, code(at, cells.data() + first));
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
    for_each_symbol(shape, cells, [&](std::size_t at, std::uint32_t* tree) {
        unsigned node = 1;
        for (unsigned bit_index = shape.bits; bit_index-- > 0;) {
            const bool bit = (symbols[at] >> bit_index) & 1;
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
    for_each_symbol(shape, cells, [&](std::size_t at, std::uint32_t* tree) {
        unsigned node = 1;
        for (unsigned bit = 0; bit < shape.bits; ++bit) node = node << 1 | decoder.code(tree[node]);
        const unsigned symbol = node - (1U << shape.bits);
        symbols[at] = static_cast<std::uint8_t>(symbol);
        return symbol;
    });
    decoder.finish();
}

}  // namespace spike
