// Hash table of numbers by pair of ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace spike {

inline std::uint64_t pair_key(std::uint32_t left, std::uint32_t right) {
    return std::uint64_t{left} << 32 | right;
}
inline std::uint32_t left_of(std::uint64_t key) { return static_cast<std::uint32_t>(key >> 32); }
inline std::uint32_t right_of(std::uint64_t key) { return static_cast<std::uint32_t>(key); }

inline std::uint64_t hash_key(std::uint64_t key) { return key * 0x9E3779B97F4A7C15u; }

// Pairs can be divided into 2^PARTITION_BITS partitions, which are counted one after the other.
constexpr unsigned PARTITION_BITS = 8;
inline std::size_t partition_of(std::uint64_t key) {
    return hash_key(key) >> (64 - PARTITION_BITS);
}

// Open addressing with linear probing; the number of a pair that is not in the table is 0.
class PairTable {
  public:
    PairTable() : slots_(FIRST_SLOTS) {}

    std::uint64_t get(std::uint64_t key) const { return slots_[find(key)].number; }

    void add(std::uint64_t key, std::uint64_t more) {
        Slot& slot = slots_[find(key)];
        const bool is_new = slot.number == 0;
        slot.key = key;
        slot.number += more;
        if (is_new && ++used_ * 2 > slots_.size()) grow();
    }

    template <class Take>
    void for_each(Take take) const {
        for (const Slot& slot : slots_) {
            if (slot.number != 0) take(slot.key, slot.number);
        }
    }

  private:
    struct Slot {
        std::uint64_t key = 0, number = 0;
    };
    static constexpr std::size_t FIRST_SLOTS = 1024;

    std::size_t find(std::uint64_t key) const {
        // The highest bits are equal within a partition: use those below.
        std::size_t i = hash_key(key) >> (32 - PARTITION_BITS);
        for (;; ++i) {
            const Slot& slot = slots_[i & (slots_.size() - 1)];
            if (slot.number == 0 || slot.key == key) return i & (slots_.size() - 1);
        }
    }

    void grow() {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.number != 0) slots_[find(slot.key)] = slot;
        }
    }

    std::vector<Slot> slots_;
    std::size_t used_ = 0;
};

}  // namespace spike
