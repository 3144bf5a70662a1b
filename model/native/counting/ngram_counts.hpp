// N-gram counts in a growing token sequence: interpolated Kneser–Ney and Pitman–Yor probabilities.
//
// A trie with a node for each stored n-gram of up to `max_context` + 1 tokens; contexts are
// n-grams, too. A hash table finds a node by its parent's index and its last token. Both are
// compared on every hit, so no two n-grams share a count, whatever the table's size.
//
// Claim: counts are exact, although the follower of a context that occurred once is not stored.
// Reason: such a context has at most one follower, with count 1: the token at the position in the
// history where the context ended. It is stored when the context occurs again (`expand`), before
// the second follower is counted, and from then on `count` adds each follower. An n-gram that
// occurs twice is stored by then: its context has occurred twice, so the first occurrence was
// stored by `expand`, if not by `count`. So every context that occurred before is found, with
// exact counts of its followers. (Loaded n-grams without children have no position; their
// followers were pruned.)
// With continuation counts (Kneser & Ney 1995) an n-gram shorter than the longest counts its
// distinct preceding tokens instead of its occurrences. Of the n-grams that end in a token, one for
// each length, let `known` be the longest that occurred before. Shorter ones occurred after the
// same preceding token, so their counts stay. `known` has a new preceding token, or none at a
// start, and counts one more. Longer ones are new and count 1. Bound: a token costs at most
// max_context + 1 look-ups in the table and stores at most two nodes for each length, its own
// n-gram and one that is expanded; on real text 1.3 in all for contexts of up to 8 tokens.
//
// Claim: the probabilities of all tokens add up to 1. Reason: for a context with total count C and
// followers w, the numerators are c(w) - D(c(w)) + B · p(w), where p is the distribution of the
// shorter context and B = strength + pruned total + sum of D(c(w)). They add up to
// (C - pruned total - sum of D) + B = C + strength, which is the denominator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spike {

// Discounts for contexts of one length (Chen & Goodman 1998): of followers with counts of 1, 2 and
// more, and the strength of Pitman–Yor (Teh 2006), which is added to the backoff and the total.
struct Discount {
    double d1, d2, d3, strength;
};

// The n-grams of a trie without the empty one, parents first: parent (0: the empty one, i + 1: the
// i-th), last token and count; totals also of the empty one, each at least the sum of the counts of
// its children.
struct Ngrams {
    std::span<const std::uint32_t> parents, tokens, counts, totals;
};

class NgramCounts {
  public:
    static constexpr unsigned MAX_CONTEXT = 64;

    // With `continuation` n-grams shorter than the longest have continuation counts.
    NgramCounts(std::uint32_t vocab_size, unsigned max_context, bool continuation);

    // Begins with these counts; throws std::invalid_argument where they contradict each other, or
    // when tokens were counted before.
    void load(const Ngrams& ngrams);

    // Reserves table slots for this many n-grams, where there are fewer.
    void reserve(std::size_t ngrams);

    // Begins a new sequence: the next token has no context.
    void restart();

    // For each id and length k, from 0, p[i · (max_context + 1) + k] is the probability that
    // contexts of min_context … k tokens give it after the ids before, over the base probability
    // base[i]. Also of the longest context with followers: its length, total and distinct
    // followers. With `learn` each id is counted after its score; without, the ids read are
    // discarded when learning goes on. Where other_base has one number for each id,
    // over_other_base[i] is the probability that all contexts of one token or more give over that
    // base.
    struct Scores {
        std::span<double> p, over_other_base;
        std::span<std::uint32_t> lengths, totals, distinct;
    };
    template <class Id>
    void score(std::span<const Id> ids, std::span<const double> base,
               std::span<const double> other_base, std::span<const Discount> discounts,
               unsigned min_context, bool learn, const Scores& out);
    template <class Id>
    void learn(std::span<const Id> ids);

    // The same for every id of the vocabulary as the next token, equal to the last bit to `score`.
    // p [max_context + 1, vocab_size] has the base in its first row.
    void distribution(std::span<double> p, std::span<const Discount> discounts,
                      unsigned min_context) const;
    // Length, total and distinct followers of the longest context of the next token with followers.
    void longest_context(std::uint32_t& length, std::uint32_t& total,
                         std::uint32_t& distinct) const;

    // The n-grams of at most `kept_context` + 1 tokens with a count of at least `min_count`, and
    // their prefixes; parents first, in the order in which they were stored.
    struct PrunedNgrams {
        std::vector<std::uint32_t> parents, tokens, counts, totals;
    };
    PrunedNgrams pruned(std::uint32_t min_count, unsigned kept_context) const;

    // How many n-grams of k + 1 tokens have the counts 1, 2, 3 and 4, at [4k …].
    std::span<const std::uint64_t> counts_of_counts() const { return counts_of_counts_; }
    std::uint32_t vocab_size() const { return vocab_size_; }
    unsigned max_context() const { return max_context_; }
    std::size_t ngrams() const { return nodes_.size() - 1; }
    std::size_t bytes() const;

  private:
    static constexpr std::uint32_t NONE = UINT32_MAX;
    static constexpr std::size_t MAX_NGRAMS = UINT32_MAX - 2;
    struct Node {
        std::uint32_t parent, token, count;
        std::uint32_t total = 0;                     // counts of all followers
        std::uint32_t pruned = 0;                    // the part of it without a child
        std::uint32_t ones = 0, twos = 0, more = 0;  // children by their counts
        // The first child; where total is 0, the position in history_ of the one follower.
        std::uint32_t first = NONE;
        std::uint32_t next_sibling = NONE;
        std::uint32_t distinct() const { return ones + twos + more; }
    };
    struct Slot {
        std::uint32_t tag = 0, node = 0;  // node 0, the empty n-gram, is never looked up
    };

    std::uint32_t find(std::uint32_t parent, std::uint32_t token) const;
    std::uint32_t add(std::uint32_t parent, std::uint32_t token, std::uint32_t count,
                      std::uint32_t position);
    void increment(std::uint32_t node, unsigned length);
    void expand(std::uint32_t node);
    void find_ngrams(std::uint32_t token);
    void count(std::uint32_t token);
    void advance();
    // Reserves memory for all that one token may store, so that it is counted whole or not at all.
    void make_room(std::size_t ngrams);
    void insert(std::uint32_t node);
    void rehash(std::size_t slots);
    void check_id(std::uint64_t id) const;
    void prepare_to_learn(std::size_t more);

    std::uint32_t vocab_size_;
    unsigned max_context_;
    bool continuation_;
    std::vector<std::uint32_t> history_;
    std::vector<Node> nodes_;
    std::vector<Slot> slots_;
    std::vector<std::uint64_t> counts_of_counts_;
    // By length: the contexts of the next token, and the n-grams of them and that token.
    std::vector<std::uint32_t> contexts_, extended_;
    unsigned depth_ = 0;  // the longest stored context
    bool has_unlearned_ = false;
};

}  // namespace spike
