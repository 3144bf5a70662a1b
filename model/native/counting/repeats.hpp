// Where the last tokens of a row stood before, for contexts of a few fixed, long lengths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spike {

class Repeats {
  public:
    static constexpr unsigned MOST_LENGTH = 1024;
    static constexpr std::uint32_t NONE = UINT32_MAX;

    // `lengths` rise.
    Repeats(std::uint32_t vocab_size, std::span<const std::uint32_t> lengths);

    // Begins a new row: no token stands before it.
    void restart();

    // The hint at a place is the token that came after the last earlier occurrence of the longest
    // of the contexts that occurred before, in any row; NONE if none did. It is right as often as
    // hints of that length were so far: (right ones + 1/2) / (hints + 1), its trust.
    struct Hint {
        std::uint32_t token, kind;  // the kind is the length's number, or NONE
        double trust;
    };
    Hint hint() const;
    // The hints for each id when it comes after those before. With `learn` each is then added to
    // the row; without, hints come from the row as it was, and the next learning begins a new one.
    template <class Id>
    void read(std::span<const Id> ids, bool learn, std::span<std::uint32_t> tokens,
              std::span<std::uint32_t> kinds, std::span<double> trusts);

    std::size_t bytes() const;

  private:
    struct Slot {
        std::uint32_t mark = 0, place = 0;  // of what followed; a context has a token: never 0
    };
    struct Table {
        std::uint32_t length;
        std::uint64_t power;  // what the token before a context is weighed with
        std::vector<Slot> slots;
        std::size_t used = 0;
        std::uint64_t hints = 0, right = 0;
    };

    std::uint64_t hash(const Table& table, std::size_t end) const;
    std::size_t find(const Table& table) const;
    Hint hint_of(const Table& table, std::size_t slot) const;
    void note(Table& table, std::size_t slot);
    void make_room();
    void grow(Table& table);

    std::uint32_t vocab_size_;
    std::vector<Table> tables_;
    // Tokens learned, those read without learning behind them, and hashes of their beginnings; of
    // the tokens in hand the hashes alone may run ahead.
    std::vector<std::uint32_t> row_;
    std::vector<std::uint64_t> hashes_;
    std::size_t start_ = 0, learned_ = 0;
};

}  // namespace spike
