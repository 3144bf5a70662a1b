// The windows of texts, and which of them occur in other texts: an exact search for millions of
// substrings at once.
//
// A text has len - window + 1 windows; a shorter one is a window of its own length. Windows of
// similar lengths are a band. Every occurrence of a window of n elements or more contains a gram
// of `gram` elements that begins at a multiple of n - gram + 1. So a scan probes only those grams,
// in a Bloom filter of all grams of the windows; around a gram that passes, it hashes every window
// and compares the bytes of those that the hash table has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hash.hpp"

namespace spike {

class WindowSet {
  public:
    // Texts are elements of `width` bytes, concatenated; `ends` has the end of each, in elements.
    // Throws std::invalid_argument for sizes that do not fit.
    WindowSet(std::span<const std::uint8_t> texts, std::span<const std::int64_t> ends,
              std::size_t width, std::size_t window);

    // Marks the windows that occur in segments of the same width; none crosses two segments.
    void scan(std::span<const std::uint8_t> data, std::span<const std::int64_t> ends);

    // Fills the number of windows of each text, and of those that were seen.
    void count(std::span<std::int64_t> windows, std::span<std::int64_t> seen) const;

    std::size_t width() const { return width_; }

  private:
    struct Band {
        Band(std::size_t shortest, std::size_t windows, bool has_prefixes);
        std::size_t shortest, gram, stride;
        std::vector<std::size_t> lengths;
        BloomFilter grams, prefixes;
    };
    struct Entry {
        std::uint32_t start;
        std::uint16_t length;
        bool is_seen;
    };

    std::size_t windows_of(std::size_t text) const;
    void make_bands();
    void add_text(std::size_t text, Band& band);
    void add_window(std::uint64_t hash, std::uint32_t start, std::size_t length);
    void scan_segment(const Band& band, const std::uint8_t* data, std::size_t begin,
                      std::size_t end);
    void scan_near(const Band& band, const std::uint8_t* data, std::size_t begin, std::size_t end,
                   std::size_t gram);
    void look_up(std::uint64_t hash, const std::uint8_t* at, std::size_t length);
    std::size_t slot_of(std::uint64_t hash) const { return hash >> slot_shift_; }

    std::size_t width_, window_;
    std::vector<std::uint8_t> texts_;
    std::vector<std::size_t> ends_;
    std::vector<Band> bands_;
    // Distinct windows; and the one that each window of the texts equals.
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> entry_of_;
    // Open addressing: the low half of the hash, and the number of the entry, from 1.
    std::vector<std::uint64_t> slots_;
    int slot_shift_ = 0;
};

// The ends of texts or segments, checked to rise and to stay within `size` elements.
void check_ends(std::span<const std::int64_t> ends, std::size_t size);

}  // namespace spike
