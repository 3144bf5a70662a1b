// Runs the native code on random and hostile input; the sanitizers stop it at the first fault.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bese.hpp"
#include "decoder.hpp"
#include "matcher.hpp"
#include "merges.hpp"
#include "pairs.hpp"
#include "segment_counter.hpp"
#include "trials.hpp"
#include "trie.hpp"

namespace {

using namespace spike;
using Bytes = std::vector<std::uint8_t>;

struct Laid {
    Bytes bytes;
    std::vector<std::int64_t> offsets{0};
    void add(const Bytes& item) {
        bytes.insert(bytes.end(), item.begin(), item.end());
        offsets.push_back(static_cast<std::int64_t>(bytes.size()));
    }
    Texts texts() const { return Texts(bytes, offsets); }
};

std::mt19937 generator(1);
std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(generator); }

Bytes random_bytes(std::size_t length, unsigned letters) {
    Bytes found(length);
    for (auto& byte : found) byte = static_cast<std::uint8_t>(below(letters));
    return found;
}

void require(bool truth, const char* what) {
    if (!truth) throw std::runtime_error(what);
}

Laid random_entries(unsigned letters) {
    Laid entries;
    for (unsigned byte = 0; byte < 256; ++byte) entries.add({static_cast<std::uint8_t>(byte)});
    std::vector<Bytes> seen;
    for (std::size_t i = below(60); i > 0; --i) {
        Bytes entry = random_bytes(2 + below(below(9) ? 12 : 254), letters);
        // Texts of few letters never go on so: all that was read is read again.
        if (below(3) == 0) entry.back() = 255;
        bool known = false;
        for (const Bytes& other : seen) known = known || other == entry;
        if (known) continue;
        seen.push_back(entry);
        entries.add(entry);
    }
    return entries;
}

// The failure links against the plain walk, over all tokens and over the first few.
void same_cut(const LongestMatch& match, const Bytes& text) {
    const FailureLinks links(match.trie);
    const std::uint8_t* const limit = text.data() + text.size();
    std::vector<std::uint32_t> plain;
    for (const std::uint8_t* at = text.data(); at < limit;) {
        const Cell first = match.trie.cells[*at++];
        plain.push_back(token(match.close_token(first, at, limit)));
    }
    for (const std::size_t most : {plain.size(), 1 + below(plain.size() + 1)}) {
        std::vector<std::uint32_t> found;
        links.cut(text.data(), limit, [&](std::uint32_t id) {
            found.push_back(id);
            return found.size() < most;
        });
        plain.resize(std::min(most, plain.size()));
        require(found == plain, "failure links gave other tokens");
    }
}

template <class Id>
void round_trip(unsigned letters) {
    const Laid entries = random_entries(letters);
    std::vector<std::uint32_t> ids(entries.offsets.size() - 1);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::uint32_t>(i);
    const LongestMatch match(build_trie(entries.texts(), ids));
    same_cut(match, random_bytes(below(3'000), letters));
    Laid documents;
    for (std::size_t i = below(6); i > 0; --i) {
        documents.add(random_bytes(below(below(4) ? 100 : 600'000), letters));
    }
    const auto encoded = encode<Id>(match, documents.texts(), 1 + static_cast<unsigned>(below(3)));
    const std::span<const Id> all(encoded.ids.items.get(), encoded.ids.size);
    const auto sliced = encode<Id>(match, documents.texts(), 2, 1 + below(below(2) ? 40 : 5'000));
    require(std::ranges::equal(all, std::span<const Id>(sliced.ids.items.get(), sliced.ids.size)),
            "slices gave other ids");
    const DecodingTable table(entries.texts());
    std::string text(table.measure(all), '\0');
    table.decode(all, std::span<char>(text));
    require(std::equal(text.begin(), text.end(), documents.bytes.begin(), documents.bytes.end(),
                       [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }),
            "the text did not come back");
    const std::span<const std::int64_t> places(encoded.offsets.items.get(), encoded.offsets.size);
    const auto pairs = count_pairs(Slices<Id>(all, places), below(50), 2);
    require(pairs.size() <= 50, "more pairs than asked for");
}

template <class Id>
void merges(std::size_t letters) {
    std::vector<std::uint8_t> ids(below(600));
    for (auto& id : ids) id = static_cast<std::uint8_t>(below(letters));
    std::vector<std::int64_t> offsets{0}, weights;
    while (offsets.back() < static_cast<std::int64_t>(ids.size())) {
        const auto left = ids.size() - static_cast<std::size_t>(offsets.back());
        offsets.push_back(offsets.back() + 1 + static_cast<std::int64_t>(below(left)));
        weights.push_back(1 + static_cast<std::int64_t>(below(3)));
    }
    const std::vector<std::uint32_t> lengths(letters, 1);
    const MergeRules rules{below(2) == 0, 1 + below(20), 2, below(40)};
    Merges<Id> learner(Slices<std::uint8_t>(ids, offsets), weights, lengths, rules);
    for (int i = 0; i < 40; ++i) {
        if (const auto pair = learner.best(); !pair) break;
        if (below(4) == 0) {
            learner.refuse();
        } else {
            learner.merge();
        }
    }
}

// Random merges that build on each other; any ids decode to as many bytes as they weigh.
void bese(unsigned letters) {
    std::vector<std::uint32_t> left, right;
    for (std::size_t i = below(50); i > 0; --i) {
        const auto ids = BASE_IDS + left.size();
        const auto first = static_cast<std::uint32_t>(1 + below(ids - 1));
        const auto second = static_cast<std::uint32_t>(1 + below(ids - 1));
        bool known = false;
        for (std::size_t k = 0; k < left.size(); ++k) known |= left[k] == first && right[k] == second;
        if (known) continue;
        left.push_back(first);
        right.push_back(second);
    }
    try {
        const Bese coder(below(2) == 0, left, right, "<doc>", BASE_IDS + left.size() + below(9));
        Laid documents;
        SegmentCounter counter(below(2) == 0 ? 100'000 : 2'000);
        for (std::size_t i = below(6); i > 0; --i) {
            documents.add(random_bytes(below(below(4) ? 100 : 60'000), letters));
        }
        const auto encoded = coder.encode<std::uint32_t>(documents.texts(), 3);
        const std::span<const std::uint32_t> ids(encoded.ids.items.get(), encoded.ids.size);
        std::string text;
        coder.decode(ids, 0, text);
        require(text.size() == documents.bytes.size(), "BESE gave other bytes");
        counter.add(documents.texts());
        std::vector<std::uint32_t> any(below(300));
        for (auto& id : any) id = static_cast<std::uint32_t>(below(coder.size()));
        coder.decode(std::span<const std::uint32_t>(any), static_cast<std::uint32_t>(below(1 << 16)), text);
    } catch (const std::invalid_argument&) {
        // The merges were too long.
    }
}

template <class Work>
void must_refuse(Work work, const char* what) {
    try {
        work();
    } catch (const std::invalid_argument&) {
        return;
    }
    throw std::runtime_error(what);
}

void hostile() {
    const Bytes four{1, 2, 3, 4};
    const std::vector<std::vector<std::int64_t>> wrong{
        {}, {-1, 2}, {0, 3, 2}, {0, 5}, {INT64_MIN, INT64_MAX}, {0, INT64_MAX}};
    for (const auto& offsets : wrong) {
        must_refuse([&] { Texts(four, offsets); }, "wrong offsets were taken");
    }
    const Laid entries = random_entries(4);
    const DecodingTable table(entries.texts());
    const std::vector<std::int64_t> ids{0, -1}, far{INT64_MAX};
    must_refuse([&] { table.measure(std::span<const std::int64_t>(ids)); }, "id -1 was taken");
    must_refuse([&] { table.measure(std::span<const std::int64_t>(far)); }, "a far id was taken");
    Laid incomplete;
    incomplete.add({7});
    const std::vector<std::uint32_t> one{0};
    must_refuse([&] { build_trie(incomplete.texts(), one); }, "missing bytes were not noticed");
    must_refuse([&] { build_trie(entries.texts(), one); }, "missing ids were not noticed");
}

// Half of the entries are tried, then all are in use: no cut may beat the best one.
void trials(int letters) {
    const Laid entries = random_entries(letters);
    const Texts texts = entries.texts();
    const EntryTrie trie(texts);
    try_changes(trie, 256 + (trie.size() - 256) / 2, true, texts, 3);
    const Trials found = try_changes(trie, trie.size(), true, texts, 3);
    if (found.tokens < fewest_tokens(trie, texts, 3)) {
        throw std::runtime_error("greedy beat the best cut");
    }
}

}  // namespace

int main() {
    try {
        hostile();
        for (int i = 0; i < 60; ++i) {
            round_trip<std::uint16_t>(i % 3 ? 3 : 256);
            round_trip<std::uint32_t>(i % 2 ? 1 : 5);
            merges<std::uint16_t>(1 + below(9));
            merges<std::uint32_t>(i % 2 ? 1 : 256);
            bese(i % 3 ? 100 : 256);
            trials(i % 3 ? 3 : 256);
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
