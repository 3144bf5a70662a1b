// 64-bit hash of a few bytes (multiply and shift, with the finaliser of MurmurHash3), and a Bloom
// filter of such hashes. Equal bytes have equal hashes; all results are verified elsewhere.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace spike {

inline std::uint64_t word_at(const std::uint8_t* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

inline std::uint64_t add_word(std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15;
    return hash ^ hash >> 32;
}

inline std::uint64_t hash_bytes(const std::uint8_t* at, std::size_t size) {
    std::uint64_t hash = 0xC4CEB9FE1A85EC53 + size;
    if (size < 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, size);
        hash = add_word(hash, word);
    } else {
        // The last word may overlap the one before it.
        const std::uint8_t* const last = at + size - 8;
        for (; at < last; at += 8) hash = add_word(hash, word_at(at));
        hash = add_word(hash, word_at(last));
    }
    hash *= 0xFF51AFD7ED558CCD;
    return hash ^ hash >> 33;
}

// Bloom filter, blocked: the four bits of an item are in one word, so a probe reads one cache line.
// With 21 bits an item or more, less than 1 in 500 other items pass.
class BloomFilter {
  public:
    explicit BloomFilter(std::size_t items)
        : words_(std::bit_ceil(std::max<std::size_t>(items / 3, 2))),
          shift_(64 - std::countr_zero(words_.size())) {}

    void add(std::uint64_t hash) { words_[hash >> shift_] |= bits(hash); }
    bool has(std::uint64_t hash) const {
        const std::uint64_t wanted = bits(hash);
        return (words_[hash >> shift_] & wanted) == wanted;
    }
    void prefetch(std::uint64_t hash) const { __builtin_prefetch(&words_[hash >> shift_]); }

  private:
    static std::uint64_t bits(std::uint64_t hash) {
        return std::uint64_t{1} << (hash & 63) | std::uint64_t{1} << (hash >> 6 & 63) |
               std::uint64_t{1} << (hash >> 12 & 63) | std::uint64_t{1} << (hash >> 18 & 63);
    }

    std::vector<std::uint64_t> words_;
    int shift_;
};

}  // namespace spike
