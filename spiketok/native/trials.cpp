#include "trials.hpp"

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

// Where `task` begins: texts are dealt out in their order.
std::size_t first_of(std::size_t task, const Texts& texts) { return texts.size() * task / TASKS; }

// The trials of one task's texts, one after the other.
class TaskTrials {
  public:
    TaskTrials(const EntryTrie& trie, std::size_t used, bool removals)
        : trie_(trie), used_(used), removals_(removals), settled_(trie.size(), 0) {
        found.uses.resize(trie.size());
        found.change.resize(trie.size());
    }

    // `begin` is the place of the text among all, so that places only rise.
    void add(std::span<const std::uint8_t> text, std::size_t begin) {
        cut(text);
        for (std::size_t i = 0; i < tokens_.size(); ++i) {
            const auto [start, token, longest] = tokens_[i];
            ++found.uses[token];
            for (std::uint32_t other = longest; other != token; other = trie_.shorter(other)) {
                try_one(text, begin, i, other, other);
            }
            if (removals_ && token >= 256) {
                try_one(text, begin, i, token, in_use(trie_.shorter(token)));
            }
        }
        found.tokens += static_cast<std::int64_t>(tokens_.size());
    }

    Trials found;

  private:
    struct Token {
        std::size_t start;
        std::uint32_t entry, longest;  // the latter among candidates too
    };

    // The longest entry in use with which this one begins.
    std::uint32_t in_use(std::uint32_t entry) const {
        while (entry >= used_) entry = trie_.shorter(entry);
        return entry;
    }

    void cut(std::span<const std::uint8_t> text) {
        tokens_.clear();
        for (std::size_t at = 0; at < text.size();) {
            const std::uint32_t longest = trie_.longest(text, at);
            const std::uint32_t entry = in_use(longest);
            tokens_.push_back({at, entry, longest});
            at += trie_.length(entry);
        }
    }

    // Follows the cut from token i on, where `changed` comes or goes and `first` stands instead.
    void try_one(std::span<const std::uint8_t> text, std::size_t begin, std::size_t i,
                 std::uint32_t changed, std::uint32_t first) {
        std::size_t at = tokens_[i].start;
        // An earlier change has reached beyond this place.
        if (begin + at < settled_[changed]) return;
        const bool comes = changed >= used_;
        std::int64_t more = 0, uses = comes;
        std::size_t border = at + trie_.length(tokens_[i].entry);
        at += trie_.length(first);
        while (at != border) {
            if (at > border) {
                border += trie_.length(tokens_[++i].entry);
                --more;
                continue;
            }
            std::uint32_t entry = trie_.longest(text, at);
            while (entry >= used_ ? entry != changed : entry == changed && !comes) {
                entry = trie_.shorter(entry);
            }
            at += trie_.length(entry);
            ++more;
            uses += comes && entry == changed;
        }
        found.change[changed] += more;
        if (comes) found.uses[changed] += uses;
        settled_[changed] = begin + at;
    }

    const EntryTrie& trie_;
    const std::size_t used_;
    const bool removals_;
    std::vector<std::size_t> settled_;
    std::vector<Token> tokens_;
};

}  // namespace

Trials try_changes(const EntryTrie& trie, std::size_t used, bool removals, const Texts& texts,
                   unsigned threads) {
    if (used < 256 || used > trie.size()) throw std::invalid_argument("used is out of range");
    Trials total;
    total.uses.resize(trie.size());
    total.change.resize(trie.size());
    std::mutex lock;
    for_each_task(TASKS, threads, [&](std::size_t task) {
        TaskTrials trials(trie, used, removals);
        for (std::size_t i = first_of(task, texts); i < first_of(task + 1, texts); ++i) {
            trials.add(texts[i], texts.begin(i));
        }
        const std::scoped_lock held(lock);
        total.tokens += trials.found.tokens;
        for (std::size_t i = 0; i < trie.size(); ++i) {
            total.uses[i] += trials.found.uses[i];
            total.change[i] += trials.found.change[i];
        }
    });
    return total;
}

std::int64_t fewest_tokens(const EntryTrie& trie, const Texts& texts, unsigned threads) {
    std::atomic<std::int64_t> total{0};
    for_each_task(TASKS, threads, [&](std::size_t task) {
        std::vector<std::uint32_t> fewest;  // tokens from each place to the end of the text
        for (std::size_t i = first_of(task, texts); i < first_of(task + 1, texts); ++i) {
            const auto text = texts[i];
            fewest.assign(text.size() + 1, 0);
            for (std::size_t at = text.size(); at-- > 0;) {
                std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
                std::uint32_t entry = trie.longest(text, at);
                for (; entry != EntryTrie::NONE; entry = trie.shorter(entry)) {
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
