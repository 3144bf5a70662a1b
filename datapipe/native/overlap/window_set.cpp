#include "window_set.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <stdexcept>

namespace spike {

namespace {

constexpr std::size_t MAX_WINDOW = 1024;
constexpr std::size_t MAX_ELEMENTS = UINT32_MAX - 1;
// Hashes that are computed before the first of them is looked up.
constexpr std::size_t BATCH = 64;

std::size_t length_of(std::span<const std::size_t> ends, std::size_t text) {
    return ends[text] - (text ? ends[text - 1] : 0);
}

}  // namespace

void check_ends(std::span<const std::int64_t> ends, std::size_t size) {
    std::int64_t before = 0;
    for (const std::int64_t end : ends) {
        if (end < before || static_cast<std::uint64_t>(end) > size)
            throw std::invalid_argument("ends do not fit");
        before = end;
    }
}

WindowSet::Band::Band(std::size_t shortest, std::size_t windows, bool has_prefixes)
    : shortest(shortest),
      gram(shortest / 2 + 1),
      stride(shortest - gram + 1),
      grams(windows),
      prefixes(has_prefixes ? windows : 0) {}

WindowSet::WindowSet(std::span<const std::uint8_t> texts, std::span<const std::int64_t> ends,
                     std::size_t width, std::size_t window)
    : width_(width), window_(window) {
    if (width == 0 || width > 8 || window == 0 || window > MAX_WINDOW || texts.size() % width ||
        texts.size() / width > MAX_ELEMENTS)
        throw std::invalid_argument("texts do not fit");
    check_ends(ends, texts.size() / width);
    texts_.assign(texts.begin(), texts.end());
    ends_.assign(ends.begin(), ends.end());
    make_bands();
}

std::size_t WindowSet::windows_of(std::size_t text) const {
    const std::size_t length = length_of(ends_, text);
    return length >= window_ ? length - window_ + 1 : length > 0;
}

// Bands begin at the powers of two below the window, and at the window.
void WindowSet::make_bands() {
    struct Size {
        std::size_t shortest, grams;
    };
    const auto band_of = [&](std::size_t length) {
        return length >= window_ ? window_ : std::bit_floor(length);
    };
    std::map<std::size_t, Size> sizes;
    std::size_t windows = 0;
    for (std::size_t text = 0; text < ends_.size(); ++text) {
        const std::size_t length = std::min(length_of(ends_, text), window_);
        if (length == 0) continue;
        Size& size = sizes.try_emplace(band_of(length), Size{length, 0}).first->second;
        size.shortest = std::min(size.shortest, length);
        // At most as many as the windows and half a window more.
        size.grams += windows_of(text) + length / 2;
        windows += windows_of(text);
    }
    std::map<std::size_t, std::size_t> numbers;
    bands_.reserve(sizes.size());
    for (const auto& [key, size] : sizes) {
        numbers[key] = bands_.size();
        bands_.emplace_back(size.shortest, size.grams, key < window_);
    }
    slots_.resize(std::bit_ceil(std::max<std::size_t>(windows + windows / 2, 2)));
    slot_shift_ = 64 - std::countr_zero(slots_.size());
    entries_.reserve(windows);
    entry_of_.reserve(windows);
    for (std::size_t text = 0; text < ends_.size(); ++text) {
        if (const std::size_t length = length_of(ends_, text))
            add_text(text, bands_[numbers.at(band_of(length))]);
    }
    entries_.shrink_to_fit();
}

void WindowSet::add_text(std::size_t text, Band& band) {
    const std::size_t windows = windows_of(text);
    const std::size_t begin = text ? ends_[text - 1] : 0;
    const std::size_t length = std::min(ends_[text] - begin, window_);
    const std::uint8_t* const data = texts_.data() + begin * width_;
    if (std::find(band.lengths.begin(), band.lengths.end(), length) == band.lengths.end())
        band.lengths.push_back(length);
    for (std::size_t at = 0; at < windows + band.stride - 1; ++at)
        band.grams.add(hash_bytes(data + at * width_, band.gram * width_));
    std::array<std::uint64_t, BATCH> hashes;
    for (std::size_t first = 0; first < windows; first += BATCH) {
        const std::size_t count = std::min(BATCH, windows - first);
        for (std::size_t i = 0; i < count; ++i) {
            hashes[i] = hash_bytes(data + (first + i) * width_, length * width_);
            __builtin_prefetch(&slots_[slot_of(hashes[i])], 1);
        }
        for (std::size_t i = 0; i < count; ++i)
            add_window(hashes[i], static_cast<std::uint32_t>(begin + first + i), length);
    }
    if (length < window_) band.prefixes.add(hash_bytes(data, band.shortest * width_));
}

void WindowSet::add_window(std::uint64_t hash, std::uint32_t start, std::size_t length) {
    const std::uint64_t tag = hash << 32;
    const std::uint8_t* const bytes = texts_.data() + start * width_;
    std::size_t slot = slot_of(hash);
    for (; slots_[slot]; slot = (slot + 1) & (slots_.size() - 1)) {
        const std::uint64_t found = slots_[slot];
        if ((found ^ tag) >> 32) continue;
        const auto number = static_cast<std::uint32_t>(found) - 1;
        const Entry& entry = entries_[number];
        if (entry.length == length &&
            !std::memcmp(texts_.data() + entry.start * width_, bytes, length * width_)) {
            entry_of_.push_back(number);
            return;
        }
    }
    entry_of_.push_back(static_cast<std::uint32_t>(entries_.size()));
    entries_.push_back({start, static_cast<std::uint16_t>(length), false});
    slots_[slot] = tag | entries_.size();
}

void WindowSet::scan(std::span<const std::uint8_t> data, std::span<const std::int64_t> ends) {
    if (data.size() % width_) throw std::invalid_argument("segments do not fit");
    check_ends(ends, data.size() / width_);
    std::size_t begin = 0;
    for (const std::int64_t end : ends) {
        for (const Band& band : bands_)
            scan_segment(band, data.data(), begin, static_cast<std::size_t>(end));
        begin = static_cast<std::size_t>(end);
    }
}

void WindowSet::scan_segment(const Band& band, const std::uint8_t* data, std::size_t begin,
                             std::size_t end) {
    if (end - begin < band.shortest) return;
    std::array<std::uint64_t, BATCH> hashes;
    std::size_t left = (end - begin - band.gram) / band.stride + 1, at = begin;
    while (left) {
        const std::size_t count = std::min(BATCH, left);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint8_t* const gram = data + (at + i * band.stride) * width_;
            hashes[i] = hash_bytes(gram, band.gram * width_);
            band.grams.prefetch(hashes[i]);
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (band.grams.has(hashes[i])) scan_near(band, data, begin, end, at + i * band.stride);
        }
        at += count * band.stride;
        left -= count;
    }
}

// Looks for the windows that begin at a gram or fewer than `stride` elements before it.
void WindowSet::scan_near(const Band& band, const std::uint8_t* data, std::size_t begin,
                          std::size_t end, std::size_t gram) {
    std::size_t first = gram - std::min(gram - begin, band.stride - 1);
    const std::size_t stop = std::min(gram, end - band.shortest) + 1;
    const bool single = band.lengths.size() == 1;
    std::array<std::uint64_t, BATCH> hashes;
    while (first < stop) {
        const std::size_t count = std::min(BATCH, stop - first);
        for (std::size_t i = 0; i < count; ++i) {
            hashes[i] = hash_bytes(data + (first + i) * width_, band.shortest * width_);
            if (single) __builtin_prefetch(&slots_[slot_of(hashes[i])]);
        }
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint8_t* const at = data + (first + i) * width_;
            if (single) {
                look_up(hashes[i], at, band.shortest);
            } else if (band.prefixes.has(hashes[i])) {
                for (const std::size_t length : band.lengths) {
                    if (length <= end - first - i)
                        look_up(hash_bytes(at, length * width_), at, length);
                }
            }
        }
        first += count;
    }
}

void WindowSet::look_up(std::uint64_t hash, const std::uint8_t* at, std::size_t length) {
    for (std::size_t slot = slot_of(hash); slots_[slot]; slot = (slot + 1) & (slots_.size() - 1)) {
        if ((slots_[slot] ^ hash << 32) >> 32) continue;
        Entry& entry = entries_[static_cast<std::uint32_t>(slots_[slot]) - 1];
        // One that is seen already need not be compared, but another may share its hash.
        if (!entry.is_seen && entry.length == length &&
            !std::memcmp(texts_.data() + entry.start * width_, at, length * width_)) {
            entry.is_seen = true;
            return;
        }
    }
}

void WindowSet::count(std::span<std::int64_t> windows, std::span<std::int64_t> seen) const {
    if (windows.size() != ends_.size() || seen.size() != ends_.size())
        throw std::invalid_argument("counts do not fit");
    std::size_t next = 0;
    for (std::size_t text = 0; text < ends_.size(); ++text) {
        const std::size_t number = windows_of(text);
        windows[text] = static_cast<std::int64_t>(number);
        seen[text] = 0;
        for (std::size_t i = 0; i < number; ++i) seen[text] += entries_[entry_of_[next++]].is_seen;
    }
}

}  // namespace spike
