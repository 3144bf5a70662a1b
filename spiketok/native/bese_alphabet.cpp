#include "bese_alphabet.hpp"

#include <string_view>

namespace spike {
namespace {

constexpr std::string_view SINGLE_LETTERS = "etaoinsrhdl", GROUPED = "ufbzcwvjmykxgpq\"",
                           SIGNS = " .,\n?'-";
constexpr std::string_view ESCAPED = ":;!()/&%$#@*+=[]<>_|~{}\\^`\t\r";
// Contexts of an id, besides a group + 1: an escape; an escape and one more id; an escape and one
// or two places.
constexpr std::uint32_t AFTER_ESCAPE = 5, AFTER_PREFIX = 6, AFTER_PLACE = 12, AFTER_PLACES = 16;
constexpr std::uint8_t UNKNOWN = '?';

// The direct ids, each a byte without any prefix: letters, signs, digits.
constexpr bool is_direct(std::uint8_t base) {
    return is_byte(base) && (base < PLACE || base >= SPACE);
}

// The ids that begin the code of a rare byte after the escape.
constexpr std::array<std::uint8_t, 6> PREFIXES{GROUP, GROUP + 1, GROUP + 2, GROUP + 3, SHIFT, CAPS};

}  // namespace

Alphabet::Alphabet(bool lossless) : lossless_(lossless) {
    if (!lossless) codes_.fill({{SIGN + 1}, 1});
    direct_.fill(UNKNOWN);
    escaped_.fill(UNKNOWN);
    rare_.fill(UNKNOWN);
    grouped_.fill(UNKNOWN);
    write_direct();
    if (lossless) write_escapes();
    for (unsigned byte = 'a'; byte <= 'z'; ++byte) codes_[byte - 'a' + 'A'] = codes_[byte];
}

void Alphabet::write_direct() {
    const auto put = [&](std::uint8_t base, char letter) {
        const auto byte = static_cast<std::uint8_t>(letter);
        codes_[byte] = {{base}, 1};
        direct_[base] = byte;
    };
    for (unsigned i = 0; i < SINGLE_LETTERS.size(); ++i) put(LETTER + i, SINGLE_LETTERS[i]);
    for (unsigned i = 0; i < SIGNS.size(); ++i) put(SPACE + i, SIGNS[i]);
    for (unsigned i = 0; i < 10; ++i) put(DIGIT + i, static_cast<char>('0' + i));
    for (unsigned i = 0; i < GROUPED.size(); ++i) {
        const auto byte = static_cast<std::uint8_t>(GROUPED[i]);
        if (!lossless_ && !is_letter(byte)) continue;
        grouped_[i] = byte;
        codes_[byte] = {
            {static_cast<std::uint8_t>(GROUP + i / 4), static_cast<std::uint8_t>(PLACE + i % 4)},
            2};
    }
    if (lossless_) return;
    codes_['"'] = codes_['\''];
    codes_['-'] = {{SIGN + 1}, 1};
    direct_[SIGN + 1] = UNKNOWN;
}

// After an escape the direct ids are frequent signs; after an escape and a prefix they are the
// remaining bytes: first those from 0x80 on, then the control characters.
void Alphabet::write_escapes() {
    unsigned sign = 0;
    for (std::uint8_t base = 0; base < BASE_IDS; ++base) {
        if (!is_direct(base)) continue;
        const auto byte = static_cast<std::uint8_t>(ESCAPED[sign++]);
        escaped_[base] = byte;
        codes_[byte] = {{ESCAPE, base}, 2};
    }
    unsigned byte = 0x80;
    for (unsigned prefix = 0; prefix < PREFIXES.size(); ++prefix) {
        for (std::uint8_t base = 0; base < BASE_IDS; ++base) {
            if (!is_direct(base)) continue;
            while (byte < 0x180 && (codes_[byte & 0xFF].size != 0 || is_letter(byte & 0xFF)))
                ++byte;
            if (byte == 0x180) return;
            rare_[prefix * BASE_IDS + base] = static_cast<std::uint8_t>(byte);
            codes_[byte & 0xFF] = {{ESCAPE, PREFIXES[prefix], base}, 3};
        }
    }
}

std::uint8_t BaseReader::in_case(std::uint8_t byte) {
    const bool letter = is_letter(byte), capital = letter && (shift_ || caps_ > 0);
    caps_ = letter && caps_ > 0 ? caps_ - 1 : 0;
    shift_ = false;
    return capital ? byte - 'a' + 'A' : byte;
}

std::uint8_t BaseReader::read_place(unsigned place) {
    const std::uint32_t before = before_;
    before_ = 0;
    if (before >= 1 && before <= 4) return in_case(alphabet_.grouped(before - 1, place));
    in_case(0);
    if (before == AFTER_ESCAPE) {
        before_ = AFTER_PLACE + place;
        return 0xE2;
    }
    if (before >= AFTER_PLACES)
        return static_cast<std::uint8_t>(0x80 | (before - AFTER_PLACES) << 2 | place);
    if (before >= AFTER_PLACE) {
        before_ = AFTER_PLACES + ((before - AFTER_PLACE) << 2 | place);
        return 0x80;
    }
    return UNKNOWN;
}

std::uint8_t BaseReader::read(std::uint8_t base) {
    if (is_direct(base)) {
        const std::uint32_t before = before_;
        before_ = 0;
        if (before == AFTER_ESCAPE) return in_case(alphabet_.escaped(base));
        if (before >= AFTER_PREFIX && before < AFTER_PLACE) {
            return in_case(alphabet_.rare(before - AFTER_PREFIX, base));
        }
        return in_case(alphabet_.direct(base));
    }
    if (base >= PLACE) return read_place(base - PLACE);
    if (base == DOC) {
        shift_ = false;
        caps_ = before_ = 0;
        return 0;
    }
    const bool escaped = before_ == AFTER_ESCAPE;
    before_ = 0;
    if (base >= GROUP) {
        before_ = escaped ? AFTER_PREFIX + (base - GROUP) : 1 + (base - GROUP);
    } else if (!alphabet_.lossless()) {
        return 0;
    } else if (base == ESCAPE) {
        before_ = AFTER_ESCAPE;
    } else if (escaped) {
        before_ = AFTER_PREFIX + (base == SHIFT ? 4 : 5);
    } else if (base == SHIFT) {
        shift_ = true;
    } else {
        caps_ = CASE_LETTERS;
    }
    return 0;
}

}  // namespace spike
