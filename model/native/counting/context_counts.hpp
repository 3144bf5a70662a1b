// Exact counts of what follows each context in a row of tokens that grows.
//
// A string of up to `longest` + 1 tokens is a node of a trie; contexts are strings too. A node is
// found by its parent's number and its last token, which are compared on every hit, so no two
// strings share a count. Those that a token makes longer are looked up together, one per length.
// What follows a string that was seen once is not stored before the string is seen again: until
// then the place where it ended tells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spike {

// What contexts of one length keep back for the shorter ones: of each token that followed once,
// twice and more often, and `weight` beside; all in counts.
struct Discount {
    double one, two, more, weight;
};

// A trie's strings but the empty one, parents first: parent (0 being the empty string, i + 1 the
// i-th), last token and count; and, of the empty one too, what followed in all, which may exceed
// the children's sum.
struct Strings {
    std::span<const std::uint32_t> parents, tokens, counts, totals;
};

class ContextCounts {
  public:
    static constexpr unsigned MOST_LONGEST = 64;

    // With `continuation` the count of a string shorter than the longest is not how often it was
    // seen but before how many different tokens (Kneser & Ney 1995).
    ContextCounts(std::uint32_t vocab_size, unsigned longest, bool continuation);

    // Takes over counts; throws std::invalid_argument where they cannot be. Only when new.
    void load(const Strings& strings);

    // Makes room for so many strings at once, where that is more than there is.
    void reserve(std::size_t strings);

    // Begins a new row: no token stands before it.
    void restart();

    // For each id and length k, from 0, the probability p[i · (longest + 1) + k] that contexts of
    // up to k tokens give it when it comes after those before, base[i] being that of none. Lengths
    // below `shortest` change nothing. Also what the longest known context is: its length, and
    // how many tokens followed it, different ones and in all. With `learn` each id is counted
    // after its score; without, what was read is forgotten when learning goes on. Where `other` has
    // a base of its own for each id, over[i] is what all lengths but 0 give over that one.
    struct Scores {
        std::span<double> p, over;
        std::span<std::uint32_t> lengths, totals, kinds;
    };
    template <class Id>
    void score(std::span<const Id> ids, std::span<const double> base, std::span<const double> other,
               std::span<const Discount> discounts, unsigned shortest, bool learn,
               const Scores& out);
    template <class Id>
    void learn(std::span<const Id> ids);

    // The same for each id of the vocabulary at once, as the next token; `p` begins as the base.
    // What each length gives is left behind in turn: p has vocab_size · (longest + 1) items.
    void distribution(std::span<double> p, std::span<const Discount> discounts,
                      unsigned shortest) const;
    // Length, total and kinds of the longest known context.
    void describe(std::uint32_t& length, std::uint32_t& total, std::uint32_t& kinds) const;

    // The strings that count `fewest` and of at most `longest_kept` + 1 tokens, and those they
    // begin with; parents first, in order of their making.
    struct Kept {
        std::vector<std::uint32_t> parents, tokens, counts, totals;
    };
    Kept keep(std::uint32_t fewest, unsigned longest_kept) const;

    // How many strings of k + 1 tokens count 1, 2, 3 and 4, at [4k …].
    std::span<const std::uint64_t> counts_of_counts() const { return frequencies_; }
    std::uint32_t vocab_size() const { return vocab_size_; }
    unsigned longest() const { return longest_; }
    std::size_t strings() const { return nodes_.size() - 1; }
    std::size_t bytes() const;

  private:
    static constexpr std::uint32_t NONE = UINT32_MAX;
    static constexpr std::size_t MOST_STRINGS = UINT32_MAX - 2;
    struct Node {
        std::uint32_t parent, token, count;
        std::uint32_t total = 0;                     // of what followed
        std::uint32_t pruned = 0;                    // the part of it that no child has
        std::uint32_t ones = 0, twos = 0, more = 0;  // children by their counts
        std::uint32_t first = NONE;  // child; where total is 0, the place in row_ of what followed
        std::uint32_t sibling = NONE;
        std::uint32_t kinds() const { return ones + twos + more; }
    };
    struct Slot {
        std::uint32_t mark = 0, node = 0;  // node 0, the empty string, is never looked up
    };

    std::uint32_t find(std::uint32_t parent, std::uint32_t token) const;
    std::uint32_t add(std::uint32_t parent, std::uint32_t token, std::uint32_t count,
                      std::uint32_t place);
    void raise(std::uint32_t node, unsigned length);
    void unfold(std::uint32_t node);
    void look_up(std::uint32_t token);
    void count(std::uint32_t token);
    void move_on();
    // Makes room for more strings. A token adds up to two for each length, one after it and one
    // before it that is unfolded; room for all of them first, and it is counted whole or not at
    // all.
    void make_room(std::size_t strings);
    void insert(std::uint32_t node);
    void rehash(std::size_t slots);
    void check_id(std::uint64_t id) const;
    void prepare_to_learn(std::size_t more);

    std::uint32_t vocab_size_;
    unsigned longest_;
    bool continuation_;
    std::vector<std::uint32_t> row_;
    std::vector<Node> nodes_;
    std::vector<Slot> slots_;
    std::vector<std::uint64_t> frequencies_;
    // By length: the contexts of the next token, and what they become with it.
    std::vector<std::uint32_t> contexts_, found_;
    unsigned depth_ = 0;  // the last length with a context
    bool unlearned_ = false;
};

}  // namespace spike
