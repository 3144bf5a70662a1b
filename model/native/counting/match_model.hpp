// Match model: predicts the token after the last earlier occurrence of a long context.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spike {

// For each of a few fixed context lengths a hash table from contexts to the position after their
// last occurrence. Keys are polynomial hashes over the context, which prefix hashes give in
// constant time; the tokens are compared on every hit, so a collision costs time but changes no
// prediction.
class MatchModel {
  public:
    static constexpr unsigned MAX_LENGTH = 1024;
    static constexpr std::uint32_t NONE = UINT32_MAX;

    // `lengths` rise.
    MatchModel(std::uint32_t vocab_size, std::span<const std::uint32_t> lengths);

    // Begins a new sequence: the next token has no context.
    void restart();

    // The token after the last earlier occurrence of the longest of the contexts that occurred
    // before, in any sequence; NONE where none did. The confidence is how often matches of that
    // length were correct so far: (correct + 1/2) / (matches + 1).
    struct Match {
        std::uint32_t token, length_index;  // into `lengths`, or NONE
        double confidence;
    };
    Match predict_next() const;
    // The match for each id from the ids before it. With `learn` each id is then added to the
    // history; without, matches come from the history as it was, and the next learning begins a new
    // sequence.
    template <class Id>
    void predict(std::span<const Id> ids, bool learn, std::span<std::uint32_t> tokens,
                 std::span<std::uint32_t> length_indexes, std::span<double> confidences);

    std::size_t bytes() const;

  private:
    struct Slot {
        std::uint32_t tag = 0, position = 0;  // after the context, which has a token: never 0
    };
    struct Table {
        std::uint32_t length;
        std::uint64_t power;  // HASH_BASE to the power of length
        std::vector<Slot> slots;
        std::size_t used = 0;
        std::uint64_t matches = 0, correct = 0;
    };

    std::uint64_t hash(const Table& table, std::size_t end) const;
    std::size_t find(const Table& table) const;
    Match match_at(const Table& table, std::size_t slot) const;
    void store(Table& table, std::size_t slot);
    void make_room();
    void grow(Table& table);

    std::uint32_t vocab_size_;
    std::vector<Table> tables_;
    // The tokens learned, then those read without learning; and the hashes of all prefixes. During
    // a call the hashes are ahead of the tokens.
    std::vector<std::uint32_t> history_;
    std::vector<std::uint64_t> hashes_;
    std::size_t start_ = 0, learned_ = 0;
};

}  // namespace spike
