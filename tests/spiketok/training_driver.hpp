// Training of vocabularies for the driver under sanitizers, compared with plain definitions.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "entry_trie.hpp"
#include "marginal_costs.hpp"
#include "pair_merger.hpp"
#include "pairs.hpp"
#include "sanitize_driver.hpp"

namespace {

using namespace spike;
using Bytes = std::vector<std::uint8_t>;
using Ids = std::vector<std::uint32_t>;
using Key = std::pair<std::uint32_t, std::uint32_t>;

struct Buffer {
    Bytes bytes;
    std::vector<std::int64_t> offsets{0};
    void add(const Bytes& item) {
        bytes.insert(bytes.end(), item.begin(), item.end());
        offsets.push_back(static_cast<std::int64_t>(bytes.size()));
    }
    Texts texts() const { return Texts(bytes, offsets); }
    Bytes item(std::size_t i) const {
        return {bytes.begin() + offsets[i], bytes.begin() + offsets[i + 1]};
    }
};

Bytes random_bytes(std::size_t length, unsigned letters) {
    Bytes found(length);
    for (auto& byte : found) byte = static_cast<std::uint8_t>(below(letters));
    return found;
}

Buffer random_entries(unsigned letters) {
    Buffer entries;
    for (unsigned byte = 0; byte < 256; ++byte) entries.add({static_cast<std::uint8_t>(byte)});
    const bool is_trap = below(4) == 0;
    std::vector<Bytes> seen;
    for (std::size_t i = below(at_most(60, 5)); i > 0; --i) {
        Bytes entry = random_bytes(2 + below(below(9) ? 12 : 254), letters);
        // Texts of few letters never continue with this byte, so all bytes read must be read again.
        if (is_trap || below(3) == 0) entry.back() = 255;
        if (std::ranges::find(seen, entry) != seen.end()) continue;
        seen.push_back(entry);
        entries.add(entry);
    }
    return entries;
}

// Longest match by the definition: tries each size, the largest first.
struct PlainEntries {
    std::map<Bytes, std::uint32_t> ids{};
    std::set<std::size_t, std::greater<>> sizes{};

    void add(const Bytes& entry, std::uint32_t id) {
        ids[entry] = id;
        sizes.insert(entry.size());
    }

    Ids cut(const Bytes& text) const {
        Ids found;
        for (auto at = text.begin(); at != text.end();) {
            for (const std::size_t size : sizes) {
                if (size > static_cast<std::size_t>(text.end() - at)) continue;
                const auto entry = ids.find(Bytes(at, at + static_cast<std::ptrdiff_t>(size)));
                if (entry == ids.end()) continue;
                found.push_back(entry->second);
                at += static_cast<std::ptrdiff_t>(size);
                break;
            }
        }
        return found;
    }
};

// Calls take(left, right, place) for the pairs that do not overlap: a a a a has two.
template <class Id, class Take>
void each_pair(std::span<const Id> ids, Take take) {
    std::size_t free = 0;  // where a pair of equal ids may begin
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        if (ids[i] == ids[i + 1] && i < free) continue;
        if (ids[i] == ids[i + 1]) free = i + 2;
        take(ids[i], ids[i + 1], i);
    }
}

template <class Id>
void same_pairs(const Slices<Id>& documents) {
    std::map<Key, std::uint64_t> counts;
    for (std::size_t i = 0; i < documents.size(); ++i) {
        each_pair(documents[i], [&](Id left, Id right, std::size_t) { ++counts[{left, right}]; });
    }
    std::vector<std::tuple<std::int64_t, std::uint32_t, std::uint32_t>> plain;
    for (const auto& [key, count] : counts) {
        if (count > 1) plain.push_back({-static_cast<std::int64_t>(count), key.first, key.second});
    }
    std::ranges::sort(plain);
    const std::size_t limit = below(2) ? below(50) : SIZE_MAX;
    plain.resize(std::min(limit, plain.size()));
    std::vector<Pair> found;
    attempt([&] { found = count_pairs(documents, limit, static_cast<unsigned>(below(4))); });
    require(std::ranges::equal(found, plain,
                               [](const Pair& a, const auto& b) {
                                   return std::tuple(-static_cast<std::int64_t>(a.count), a.left,
                                                     a.right) == b;
                               }),
            "other pairs were counted");
}

void join_pairs(Ids& ids, std::uint32_t left, std::uint32_t right, std::uint32_t made) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < ids.size(); ++i, ++kept) {
        const bool joins = i + 1 < ids.size() && ids[i] == left && ids[i + 1] == right;
        ids[kept] = joins ? made : ids[i];
        i += joins;
    }
    ids.resize(kept);
}

// All pairs are counted again before each merge.
struct PlainMerges {
    std::vector<Ids> documents;
    std::vector<std::int64_t> weights;
    std::vector<std::uint64_t> lengths;
    MergeOptions options;
    std::vector<Key> refused{};

    std::optional<Pair> best() const {
        std::map<Key, std::pair<std::uint64_t, std::size_t>>
            found;  // the count, and when first seen
        for (std::size_t i = 0; i < documents.size(); ++i) {
            each_pair(std::span<const std::uint32_t>(documents[i]), [&](auto left, auto right,
                                                                        std::size_t) {
                auto& item = found.try_emplace({left, right}, 0, found.size()).first->second;
                item.first += weights.empty() ? 1 : static_cast<std::uint64_t>(weights[i]);
            });
        }
        std::optional<Pair> best;
        std::uint64_t score = 0;
        std::size_t first = 0;
        for (const auto& [key, item] : found) {
            const std::uint64_t bytes = lengths[key.first] + lengths[key.second];
            if (item.first < 2 || bytes > options.max_token_bytes ||
                std::ranges::find(refused, key) != refused.end())
                continue;
            const std::uint64_t now = options.by_length ? item.first * bytes : item.first;
            if (best &&
                (now < score || (now == score && !(options.first_seen && item.second < first))))
                continue;
            best = {key.first, key.second, item.first};
            score = now;
            first = item.second;
        }
        return best;
    }

    std::uint32_t merge(const Pair& pair) {
        const auto made = static_cast<std::uint32_t>(lengths.size());
        for (Ids& document : documents) join_pairs(document, pair.left, pair.right, made);
        lengths.push_back(lengths[pair.left] + lengths[pair.right]);
        return made;
    }
};

template <class Id>
void merges_of(std::size_t letters) {
    Bytes ids = random_bytes(below(at_most(600, 60)), static_cast<unsigned>(letters));
    std::vector<std::int64_t> offsets{0}, weights;
    PlainMerges plain{};
    while (offsets.back() < static_cast<std::int64_t>(ids.size())) {
        const std::int64_t begin = offsets.back(),
                           left = static_cast<std::int64_t>(ids.size()) - begin;
        offsets.push_back(begin + 1 +
                          static_cast<std::int64_t>(below(static_cast<std::size_t>(left))));
        weights.push_back(1 + static_cast<std::int64_t>(below(below(9) ? 3 : 1'000'000)));
        plain.documents.push_back({ids.begin() + begin, ids.begin() + offsets.back()});
    }
    if (below(2)) weights.clear();
    std::vector<std::uint32_t> lengths(letters);
    for (auto& length : lengths) length = 1 + static_cast<std::uint32_t>(below(3));
    const MergeOptions options{below(2) == 0, 1 + below(60), static_cast<unsigned>(below(3)),
                               below(40), below(2) == 0};
    plain.options = options;
    plain.weights = weights;
    plain.lengths.assign(lengths.begin(), lengths.end());
    std::optional<PairMerger<Id>> merger;
    attempt([&] { merger.emplace(Slices<std::uint8_t>(ids, offsets), weights, lengths, options); });
    must_refuse([&] { merger->merge(); }, "a merge without a best pair");
    std::size_t rounds = 0;
    for (std::optional<Pair> pair; rounds < at_most(40, 8); ++rounds) {
        const bool refuses = below(4) == 0;
        std::uint32_t made = 0;
        const bool passed = passes([&] {
            pair = merger->best();
            if (!pair) return;
            if (refuses) {
                merger->exclude();
            } else {
                made = merger->merge();
            }
        });
        // After a failed update no call may continue.
        if (!passed)
            return must_refuse([&] { merger->best(); }, "a call continued after a failed merge");
        const std::optional<Pair> expected = plain.best();
        require(pair.has_value() == expected.has_value(), "there is a pair or there is none");
        if (!pair) return;
        require(std::tie(pair->left, pair->right, pair->count) ==
                    std::tie(expected->left, expected->right, expected->count),
                "another pair is best");
        if (refuses) {
            plain.refused.push_back({pair->left, pair->right});
        } else {
            require(made == plain.merge(*pair), "a merge made another id");
        }
    }
}

void merges() {
    if (below(2)) {
        merges_of<std::uint16_t>(1 + below(9));
    } else {
        merges_of<std::uint32_t>(below(2) ? 1 + below(3) : 256);
    }
}

PairMerger<std::uint32_t> learn_merges(const Bytes& ids, const std::vector<std::int64_t>& offsets,
                                       const std::vector<std::int64_t>& weights, const Ids& lengths,
                                       const MergeOptions& options) {
    PairMerger<std::uint32_t> merger(Slices<std::uint8_t>(ids, offsets), weights, lengths, options);
    while (merger.best()) merger.merge();
    return merger;
}

void hostile_training() {
    const Bytes four{1, 2, 3, 4};
    MergeOptions options{false, 9, 1, 0, below(2) == 0};
    must_refuse([&] { learn_merges(four, {0, 4}, {}, {1, 1, 1, 1}, options); },
                "an id without a length was taken");
    must_refuse([&] { learn_merges(four, {0, 4}, {1, 1}, {1, 1, 1, 1, 1}, options); },
                "two weights were taken");
    must_refuse([&] { learn_merges(four, {0, 4}, {0}, {1, 1, 1, 1, 1}, options); },
                "a weight of 0 was taken");
    const std::int64_t heavy =
        std::numeric_limits<std::int64_t>::max() - static_cast<std::int64_t>(below(9));
    must_refuse(
        [&] {
            learn_merges({1, 2, 1, 2, 1, 2, 1, 2}, {0, 4, 8}, {heavy, heavy}, {1, 1, 1}, options);
        },
        "weights that overflow were taken");
    // The last id of 16 bits is made, and no other.
    const Ids lengths(65'534, 1);
    const Bytes row{1, 2, 1, 2, 3, 1, 2, 3};
    const std::vector<std::int64_t> all{0, 8};
    PairMerger<std::uint16_t> merger(Slices<std::uint8_t>(row, all), {}, lengths, {false, 9});
    require(merger.best().has_value() && merger.merge() == 65'534 && merger.best().has_value(),
            "one more id fits");
    must_refuse([&] { merger.merge(); }, "there are more ids than fit");
    must_refuse([&] { merger.best(); }, "a call continued after a failed merge");
}

// Some entries are candidates, then all are in use: no encoding may be shorter than the fewest
// tokens.
void costs() {
    const auto letters = static_cast<unsigned>(below(3) ? 3 : 256);
    const Buffer entries = random_entries(letters);
    Buffer documents;
    for (std::size_t i = 1 + below(9); i > 0; --i)
        documents.add(random_bytes(below(at_most(200, 60)), letters));
    const Texts texts = documents.texts();
    std::optional<EntryTrie> trie;
    attempt([&] { trie.emplace(entries.texts()); });
    const std::size_t used = 256 + below(trie->size() - 255);
    MarginalCosts found;
    attempt(
        [&] { found = marginal_costs(*trie, used, true, texts, static_cast<unsigned>(below(4))); });
    // How many tokens there are with the first entries, without one of them or with one more.
    const auto plain_count = [&](std::size_t changed) {
        PlainEntries in_use;
        for (std::size_t i = 0; i < trie->size(); ++i) {
            if ((i < used) != (i == changed))
                in_use.add(entries.item(i), static_cast<std::uint32_t>(i));
        }
        std::size_t count = 0;
        for (std::size_t i = 0; i < texts.size(); ++i)
            count += in_use.cut(documents.item(i)).size();
        return static_cast<std::int64_t>(count);
    };
    require(found.tokens == plain_count(trie->size()), "another number of tokens");
    for (int trial = 0; trial < 4 && trie->size() > 256; ++trial) {
        const std::size_t changed = 256 + below(trie->size() - 256);
        const std::int64_t more = plain_count(changed) - found.tokens;
        require(found.token_delta[changed] == more, "a token_delta has another effect");
    }
    attempt([&] { found = marginal_costs(*trie, trie->size(), false, entries.texts(), 3); });
    std::int64_t fewest = 0;
    attempt([&] { fewest = fewest_tokens(*trie, entries.texts(), 3); });
    require(found.tokens >= fewest, "greedy beat the best cut");
    must_refuse(
        [&] {
            marginal_costs(*trie, below(2) ? below(256) : trie->size() + 1 + below(9), true, texts,
                           1);
        },
        "a wrong number of entries is in use");
}

}  // namespace
