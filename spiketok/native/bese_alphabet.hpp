// Base alphabet of BESE: bytes to base ids and back (docs/bese.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace spike {

constexpr std::size_t BASE_IDS = 40;
// The most base ids of a segment, and so of a merge.
constexpr std::size_t MAX_BASE_IDS = 4096;
// Runs of letters are encoded in pieces of at most this many.
constexpr std::size_t CASE_LETTERS = 64;

// Base ids. Those from PLACE on, and the letters, complete one byte each, together with the ids
// before them; the others are prefixes or marks, without a byte of their own.
enum Base : std::uint8_t {
    DOC = 0,
    SHIFT = 1,
    CAPS = 2,
    ESCAPE = 3,
    LETTER = 4,  // e t a o i n s r h d l
    GROUP = 15,  // of four letters each
    PLACE = 19,  // in a group
    SPACE = 23,
    NEWLINE = 26,
    SIGN = 28,  // apostrophe, and hyphen or in the published alphabet anything else
    DIGIT = 30,
};

constexpr bool is_byte(std::uint8_t base) {
    return base >= PLACE || (base >= LETTER && base < GROUP);
}

// Codes of single bytes, and bytes of codes. Capitals have the codes of lowercase letters.
class Alphabet {
  public:
    struct Code {
        std::array<std::uint8_t, 3> ids;
        std::uint8_t size;
    };

    // The lossless alphabet, or the published one, in which bytes share codes.
    explicit Alphabet(bool lossless);

    bool lossless() const { return lossless_; }
    const Code& code(std::uint8_t byte) const { return codes_[byte]; }
    std::uint8_t direct(std::uint8_t base) const { return direct_[base]; }
    std::uint8_t grouped(unsigned group, unsigned place) const {
        return grouped_[group * 4 + place];
    }
    std::uint8_t escaped(std::uint8_t base) const { return escaped_[base]; }
    // Bytes without a shorter code, by prefix and direct id.
    std::uint8_t rare(unsigned prefix, std::uint8_t base) const {
        return rare_[prefix * BASE_IDS + base];
    }

  private:
    void write_direct();
    void write_escapes();

    bool lossless_;
    std::array<Code, 256> codes_{};
    std::array<std::uint8_t, BASE_IDS> direct_{}, escaped_{};
    std::array<std::uint8_t, 16> grouped_{};
    std::array<std::uint8_t, 6 * BASE_IDS> rare_{};
};

constexpr bool is_letter(std::uint8_t byte) {
    return static_cast<std::uint8_t>((byte | 0x20) - 'a') < 26;
}
constexpr bool is_capital(std::uint8_t byte) { return static_cast<std::uint8_t>(byte - 'A') < 26; }

// Whether the three bytes from `at` on are one of U+2000 … U+203F, quotes and dashes among them.
inline bool is_punctuation(std::span<const std::uint8_t> text, std::size_t at) {
    return at + 2 < text.size() && text[at] == 0xE2 && text[at + 1] == 0x80 &&
           (text[at + 2] & 0xC0) == 0x80;
}

// Calls put(base id) for all of a text, and cut() after each run of newlines (not in the published
// alphabet, where merges cross them).
template <class Put, class Cut>
void write_base(const Alphabet& alphabet, std::span<const std::uint8_t> text, Put put, Cut cut) {
    const auto put_code = [&](std::uint8_t byte) {
        const Alphabet::Code& code = alphabet.code(byte);
        for (unsigned i = 0; i < code.size; ++i) put(code.ids[i]);
    };
    const bool lossless = alphabet.lossless();
    for (std::size_t at = 0; at < text.size();) {
        const std::uint8_t byte = text[at];
        if (!lossless) {
            put_code(byte);
            ++at;
        } else if (is_letter(byte)) {
            std::size_t stop = at, capitals = 0;
            while (stop < text.size() && stop - at < CASE_LETTERS && is_letter(text[stop])) {
                capitals += is_capital(text[stop++]);
            }
            const bool caps = stop - at > 1 && capitals == stop - at;
            if (caps) put(CAPS);
            for (; at < stop; ++at) {
                if (!caps && is_capital(text[at])) put(SHIFT);
                put_code(text[at]);
            }
        } else if (byte == 0xE2 && is_punctuation(text, at)) {
            const unsigned number = text[at + 2] & 0x3F;
            put(ESCAPE);
            for (const unsigned shift : {4, 2, 0}) {
                put(static_cast<std::uint8_t>(PLACE + (number >> shift & 3)));
            }
            at += 3;
        } else {
            put_code(byte);
            ++at;
            if (byte == '\n' && (at == text.size() || text[at] != '\n')) cut();
        }
    }
}

// Decodes base ids one after the other. Each id that completes a byte returns one at once; it is
// '?' where the encoder writes no such sequence.
class BaseReader {
  public:
    // `state` is the result of `state()` after the ids before; 0 at the beginning of a text.
    BaseReader(const Alphabet& alphabet, std::uint32_t state)
        : alphabet_(alphabet),
          shift_(state & 1),
          caps_(state >> 1 & 0x7F),
          before_(state >> 8 & 0xFF) {}

    std::uint32_t state() const { return std::uint32_t{shift_} | caps_ << 1 | before_ << 8; }

    // Returns the byte; 0 if the id completes none, see `is_byte`.
    std::uint8_t read(std::uint8_t base);

  private:
    std::uint8_t read_place(unsigned place);
    std::uint8_t in_case(std::uint8_t byte);

    const Alphabet& alphabet_;
    bool shift_;
    std::uint32_t caps_;    // letters that may still be capitals
    std::uint32_t before_;  // context of the next id; see AFTER_ESCAPE
};

}  // namespace spike
