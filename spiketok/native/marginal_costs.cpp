#include "marginal_costs.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <span>
#include <stdexcept>

#include "parallel.hpp"

namespace spike {
namespace {

constexpr std::size_t TASKS = 64;

// The first text of `task`: texts are divided among tasks in their order.
std::size_t first_text(std::size_t task, const Texts& texts) { return texts.size() * task / TASKS; }

// The marginal costs over the texts of one task.
class TaskCosts {
  public:
    TaskCosts(const EntryTrie& trie, std::size_t used, bool removals)
        : trie_(trie), in_use_(used), removals_(removals), followed_to_(trie.size(), 0) {
        found.uses.resize(trie.size());
        found.token_delta.resize(trie.size());
    }

    // `begin` is the offset of the text in the buffer of all, so that offsets only rise.
    void add(std::span<const std::uint8_t> text, std::size_t begin) {
        encode(text);
        for (std::size_t i = 0; i < tokens_.size(); ++i) {
            const auto [start, token, longest] = tokens_[i];
            ++found.uses[token];
            for (std::uint32_t other = longest; other != token;
                 other = trie_.longest_proper_prefix(other)) {
                follow_detour(text, begin, i, other, other);
            }
            if (removals_ && token >= 256) {
                follow_detour(text, begin, i, token,
                              longest_in_use(trie_.longest_proper_prefix(token)));
            }
        }
        found.tokens += static_cast<std::int64_t>(tokens_.size());
    }

    MarginalCosts found;

  private:
    struct Token {
        std::size_t start;
        std::uint32_t entry, longest;  // in use; in use or candidate
    };

    // The longest entry in use that is a prefix of this one, or the entry itself.
    std::uint32_t longest_in_use(std::uint32_t entry) const {
        while (entry >= in_use_) entry = trie_.longest_proper_prefix(entry);
        return entry;
    }

    void encode(std::span<const std::uint8_t> text) {
        tokens_.clear();
        for (std::size_t at = 0; at < text.size();) {
            const std::uint32_t longest = trie_.longest(text, at);
            const std::uint32_t entry = longest_in_use(longest);
            tokens_.push_back({at, entry, longest});
            at += trie_.length(entry);
        }
    }

    // A detour: follows the encoding in which `changed` is added or removed from token i on, where
    // its token is `first`, until it shares a boundary with the encoding in use.
    void follow_detour(std::span<const std::uint8_t> text, std::size_t begin, std::size_t i,
                       std::uint32_t changed, std::uint32_t first) {
        std::size_t at = tokens_[i].start;
        // An earlier detour of the same entry has passed this token.
        if (begin + at < followed_to_[changed]) return;
        const bool is_candidate = changed >= in_use_;
        std::int64_t delta = 0, uses = is_candidate;
        std::size_t boundary = at + trie_.length(tokens_[i].entry);
        at += trie_.length(first);
        while (at != boundary) {
            if (at > boundary) {
                boundary += trie_.length(tokens_[++i].entry);
                --delta;
                continue;
            }
            std::uint32_t entry = trie_.longest(text, at);
            while (entry >= in_use_ ? entry != changed : entry == changed && !is_candidate) {
                entry = trie_.longest_proper_prefix(entry);
            }
            at += trie_.length(entry);
            ++delta;
            uses += is_candidate && entry == changed;
        }
        found.token_delta[changed] += delta;
        if (is_candidate) found.uses[changed] += uses;
        followed_to_[changed] = begin + at;
    }

    const EntryTrie& trie_;
    const std::size_t in_use_;
    const bool removals_;
    std::vector<std::size_t> followed_to_;
    std::vector<Token> tokens_;
};

}  // namespace

MarginalCosts marginal_costs(const EntryTrie& trie, std::size_t used, bool removals,
                             const Texts& texts, unsigned threads) {
    if (used < 256 || used > trie.size()) throw std::invalid_argument("used is out of range");
    MarginalCosts total;
    total.uses.resize(trie.size());
    total.token_delta.resize(trie.size());
    std::mutex lock;
    for_each_task(TASKS, threads, [&](std::size_t task) {
        TaskCosts costs(trie, used, removals);
        for (std::size_t i = first_text(task, texts); i < first_text(task + 1, texts); ++i) {
            costs.add(texts[i], texts.begin(i));
        }
        const std::scoped_lock held(lock);
        total.tokens += costs.found.tokens;
        for (std::size_t i = 0; i < trie.size(); ++i) {
            total.uses[i] += costs.found.uses[i];
            total.token_delta[i] += costs.found.token_delta[i];
        }
    });
    return total;
}

std::int64_t fewest_tokens(const EntryTrie& trie, const Texts& texts, unsigned threads) {
    std::atomic<std::int64_t> total{0};
    for_each_task(TASKS, threads, [&](std::size_t task) {
        std::vector<std::uint32_t> fewest;  // tokens from each byte to the end of the text
        for (std::size_t i = first_text(task, texts); i < first_text(task + 1, texts); ++i) {
            const auto text = texts[i];
            fewest.assign(text.size() + 1, 0);
            for (std::size_t at = text.size(); at-- > 0;) {
                std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
                std::uint32_t entry = trie.longest(text, at);
                for (; entry != EntryTrie::NONE; entry = trie.longest_proper_prefix(entry)) {
                    least = std::min(least, fewest[at + trie.length(entry)] + 1);
                }
                fewest[at] = least;
            }
            total += fewest[0];
        }
    });
    return total;
}

}  // namespace spike
