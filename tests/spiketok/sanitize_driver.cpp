// Driver of the tokenizer under sanitizers: random and hostile input, compared with plain
// definitions.

#include "sanitize_driver.hpp"

#include <pthread.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "bese.hpp"
#include "decoder.hpp"
#include "marginal_costs.hpp"
#include "matcher.hpp"
#include "pairs.hpp"
#include "segment_counter.hpp"
#include "training_driver.hpp"
#include "trie.hpp"

namespace {

using namespace spike;

// The failure links, over all tokens and over the first few.
void same_cut(const LongestMatch& match, const PlainEntries& entries, const Bytes& text) {
    std::optional<FailureLinks> links;
    attempt([&] { links.emplace(match.trie); });
    std::vector<std::uint32_t> plain = entries.cut(text);
    for (const std::size_t most : {plain.size(), 1 + below(plain.size() + 1)}) {
        std::vector<std::uint32_t> found;
        links->cut(text.data(), text.data() + text.size(), [&](std::uint32_t id) {
            found.push_back(id);
            return found.size() < most;
        });
        plain.resize(std::min(most, plain.size()));
        require(found == plain, "failure links gave other tokens");
    }
}

template <class Id>
std::span<const Id> view(const Array<Id>& array) {
    return {array.items.get(), array.size};
}

template <class Id>
void round_trip_of(unsigned letters) {
    const Buffer entries = random_entries(letters);
    std::vector<std::uint32_t> ids(entries.offsets.size() - 1);
    PlainEntries plain;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        ids[i] = static_cast<std::uint32_t>(i);
        plain.add(entries.item(i), ids[i]);
    }
    std::optional<LongestMatch> match;
    attempt([&] { match.emplace(build_trie(entries.texts(), ids)); });
    same_cut(*match, plain, random_bytes(below(at_most(3'000, 60)), letters));
    Buffer documents;
    for (std::size_t i = below(at_most(6, 3)); i > 0; --i) {
        documents.add(random_bytes(
            below(below(4) ? 100 : at_most(below(40) ? 6'000 : 600'000, 300)), letters));
    }
    const auto encode_all = [&](unsigned threads, std::size_t slice) {
        std::optional<Encoded<Id>> encoded;
        attempt([&] { encoded.emplace(encode<Id>(*match, documents.texts(), threads, slice)); });
        return std::move(*encoded);
    };
    const auto encoded = encode_all(static_cast<unsigned>(below(4)), 0);
    const auto all = view(encoded.ids);
    require(std::ranges::equal(all, view(encode_all(2, 1 + below(below(2) ? 40 : 5'000)).ids)),
            "slices gave other ids");
    require(std::ranges::equal(
                all, view(encode_all(1, std::numeric_limits<std::size_t>::max() - below(3)).ids)),
            "huge slices gave other ids");
    for (std::size_t i = 0; i + 1 < documents.offsets.size(); ++i) {
        const auto begin = static_cast<std::size_t>(encoded.offsets.items[i]);
        const auto text = documents.item(i);
        if (text.size() > 6'000) continue;
        const auto count = static_cast<std::size_t>(encoded.offsets.items[i + 1]) - begin;
        require(std::ranges::equal(all.subspan(begin, count), plain.cut(text)),
                "a text has other ids");
    }
    std::optional<DecodingTable> table;
    attempt([&] { table.emplace(entries.texts()); });
    std::string text(table->measure(all), '\0');
    table->decode(all, std::span<char>(text));
    require(Bytes(text.begin(), text.end()) == documents.bytes, "the text did not come back");
    same_pairs(Slices<Id>(all, view(encoded.offsets)));
}

void round_trip() {
    const auto letters = static_cast<unsigned>(1 + below(below(4) ? below(2) ? 2 : 6 : 256));
    if (below(2)) {
        round_trip_of<std::uint16_t>(letters);
    } else {
        round_trip_of<std::uint32_t>(letters);
    }
}

// Merges that build on each other, applied by rank to the segments of a text.
std::vector<std::uint32_t> plain_bese(bool lossless, const std::vector<std::uint32_t>& left,
                                      const std::vector<std::uint32_t>& right, const Bytes& text) {
    std::vector<std::uint32_t> found;
    Bytes room;
    for_each_segment(Alphabet(lossless), text, room, [&](std::span<const std::uint8_t> segment) {
        std::vector<std::uint32_t> ids(segment.begin(), segment.end());
        for (std::size_t rank = 0; rank < left.size(); ++rank) {
            join_pairs(ids, left[rank], right[rank], static_cast<std::uint32_t>(BASE_IDS + rank));
        }
        found.insert(found.end(), ids.begin(), ids.end());
    });
    return found;
}

void bese() {
    const auto letters = static_cast<unsigned>(below(4) ? below(2) ? 100 : 256 : 10);
    std::vector<std::uint32_t> left, right;
    std::set<std::pair<std::uint32_t, std::uint32_t>> known;
    for (std::size_t i = below(below(8) ? 50 : at_most(2'100, 50)); i > 0; --i) {
        const auto ids = BASE_IDS + left.size();
        const auto first = static_cast<std::uint32_t>(1 + below(ids - 1));
        const auto second = static_cast<std::uint32_t>(1 + below(ids - 1));
        if (!known.insert({first, second}).second) continue;
        left.push_back(first);
        right.push_back(second);
    }
    const bool lossless = below(2) == 0;
    std::optional<Bese> coder;
    try {
        attempt([&] {
            coder.emplace(lossless, left, right, "<doc>", BASE_IDS + left.size() + below(9));
        });
    } catch (const std::invalid_argument&) {
        return;  // The merges were too long.
    }
    Buffer documents;
    std::vector<std::uint32_t> plain;
    for (std::size_t i = below(6); i > 0; --i) {
        const Bytes text = random_bytes(below(below(16) ? 100 : at_most(900'000, 300)), letters);
        documents.add(text);
        if (text.size() > 100) continue;
        const auto ids = plain_bese(lossless, left, right, text);
        plain.insert(plain.end(), ids.begin(), ids.end());
    }
    std::optional<Encoded<std::uint32_t>> encoded;
    attempt([&] {
        encoded.emplace(
            coder->encode<std::uint32_t>(documents.texts(), static_cast<unsigned>(below(4))));
    });
    const auto ids = view(encoded->ids);
    if (documents.bytes.size() <= 500)
        require(std::ranges::equal(ids, plain), "BESE gave other ids");
    const std::size_t cut = below(ids.size() + 1);
    std::string text, rest;
    attempt([&] {
        text.clear();
        rest.clear();
        const std::uint32_t state = coder->decode(ids.first(cut), 0, text);
        coder->decode(ids.subspan(cut), state, rest);
    });
    text += rest;
    require(text.size() == documents.bytes.size(), "BESE gave another number of bytes");
    const bool same = Bytes(text.begin(), text.end()) == documents.bytes;
    require(same || !lossless || documents.offsets.size() > 2, "BESE gave other bytes");
    std::vector<std::int64_t> any(below(at_most(300, 30)));
    for (auto& id : any) id = static_cast<std::int64_t>(below(coder->size()));
    coder->decode(std::span<const std::int64_t>(any), static_cast<std::uint32_t>(generator()),
                  text);
    any.push_back(below(2) ? -1 - static_cast<std::int64_t>(below(9))
                           : static_cast<std::int64_t>(coder->size() + below(9)));
    must_refuse([&] { coder->decode(std::span<const std::int64_t>(any), 0, text); },
                "a wrong id was decoded");
}

void segments() {
    std::optional<SegmentCounter> counter;
    const std::size_t room = below(2) ? below(3'000) : 1'000'000;
    attempt([&] { counter.emplace(room); });
    std::map<Bytes, std::uint64_t> plain;
    const auto letters = static_cast<unsigned>(below(2) ? 11 : 256);
    Bytes buffer;
    for (std::size_t part = 0; part < 4; ++part) {
        Buffer documents;
        for (std::size_t i = below(at_most(9, 3)); i > 0; --i) {
            documents.add(random_bytes(below(below(4) ? 100 : at_most(20'000, 1'500)), letters));
        }
        attempt([&] { counter->add(documents.texts()); });
        for (std::size_t i = 0; i + 1 < documents.offsets.size(); ++i) {
            for_each_segment(Alphabet(true), documents.item(i), buffer,
                             [&](auto ids) { ++plain[Bytes(ids.begin(), ids.end())]; });
        }
    }
    require(counter->halvings() > 0 || counter->size() == plain.size(), "segments are lost");
    for (std::size_t i = 0; i < counter->size(); ++i) {
        const auto ids = counter->segment(i);
        const auto found = plain.find(Bytes(ids.begin(), ids.end()));
        require(found != plain.end(), "there is no such segment");
        // Where an allocation failed, some texts were added twice.
        const bool right =
            failing ? counter->count(i) <= 2 * found->second : counter->count(i) == found->second;
        require(right, "a segment has another count");
    }
}

// Offsets, ids and entries that do not fit each other; where they are accepted, the result must
// work.
void hostile() {
    const Bytes four{1, 2, 3, 4};
    const std::vector<std::vector<std::int64_t>> wrong{
        {}, {-1, 2}, {0, 3, 2}, {0, 5}, {INT64_MIN, INT64_MAX}, {0, INT64_MAX}};
    for (const auto& offsets : wrong) {
        must_refuse([&] { Texts(four, offsets); }, "wrong offsets were taken");
    }
    Buffer entries = random_entries(4);
    const DecodingTable table(entries.texts());
    const std::vector<std::int64_t> ids{0, -1}, far{INT64_MAX};
    must_refuse([&] { table.measure(std::span<const std::int64_t>(ids)); }, "id -1 was taken");
    must_refuse([&] { table.measure(std::span<const std::int64_t>(far)); }, "a far id was taken");
    const std::vector<std::int64_t> good{0, 255, 7};
    std::string text(table.measure(std::span<const std::int64_t>(good)), '?');
    table.decode(std::span<const std::int64_t>(good), std::span<char>(text));
    require(text == std::string("\0\xff\a", 3), "bytes decoded to others");
    Buffer incomplete;
    incomplete.add({7});
    const std::vector<std::uint32_t> one{0};
    must_refuse([&] { build_trie(incomplete.texts(), one); }, "missing bytes were not noticed");
    must_refuse([&] { build_trie(entries.texts(), one); }, "missing ids were not noticed");
    must_refuse([&] { build_trie(Buffer().texts(), {}); }, "no entries were taken");
    std::vector<std::uint32_t> given(entries.offsets.size() - 1);
    for (std::size_t i = 0; i < given.size(); ++i) given[i] = static_cast<std::uint32_t>(37 * i);
    std::optional<LongestMatch> match(std::in_place, build_trie(entries.texts(), given));
    encode<std::uint32_t>(*match, entries.texts(), 2, 1 + below(9));
    const auto fitting = given;
    given[below(given.size())] = below(2) ? UINT32_MAX - static_cast<std::uint32_t>(below(2))
                                          : 37 * static_cast<std::uint32_t>(below(given.size()));
    try {
        match.emplace(build_trie(entries.texts(), given));
        encode<std::uint32_t>(*match, entries.texts(), 2, 1 + below(9));
        FailureLinks links(match->trie);
    } catch (const std::invalid_argument&) {
    }
    const std::size_t size = below(3) ? 1 + below(300) : 0;
    entries.add(size && below(3) == 0 ? entries.item(below(given.size()))
                                      : random_bytes(size, 256));
    given = fitting;
    given.push_back(MAX_ENTRIES - 1);
    try {
        match.emplace(build_trie(entries.texts(), given));
        encode<std::uint32_t>(*match, entries.texts(), 2, 1 + below(9));
    } catch (const std::invalid_argument&) {
    }
    try {
        const EntryTrie trie(entries.texts());
        fewest_tokens(trie, entries.texts(), 1);
    } catch (const std::invalid_argument&) {
    }
    std::vector<std::uint32_t> left(below(4)), right(below(4));
    for (auto* side : {&left, &right}) {
        for (auto& id : *side) id = static_cast<std::uint32_t>(below(3) ? below(42) : generator());
    }
    try {
        const Bese coder(below(2) == 0, left, right, "", below(3) ? 44 : generator());
        coder.encode<std::uint16_t>(entries.texts(), 1);
    } catch (const std::invalid_argument&) {
    }
    const auto refuses = [](std::vector<std::uint32_t> left, std::vector<std::uint32_t> right,
                            const char* what) {
        must_refuse([&] { Bese(true, left, right, "", BASE_IDS + left.size()); }, what);
    };
    refuses({5, 0}, {6, 7}, "the separator was joined");
    refuses({5, 5}, {6, 6}, "a merge was there twice");
    refuses({5}, {40}, "an id was joined to itself");
    refuses({5}, {6, 7}, "a merge without a left side was taken");
    refuses({5, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51},
            {5, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51}, "a merge of 8192 ids was taken");
    must_refuse([&] { Bese(true, {}, {}, "", BASE_IDS - 1); },
                "fewer ids than there are were taken");
}

// Where the system has no more threads, the calling thread does all the work.
void without_threads() {
    if (failing || below(8) != 0) return;
    pthread_attr_t usual, large;
    pthread_getattr_default_np(&usual);
    pthread_attr_init(&large);
    pthread_attr_setstacksize(&large, std::size_t{1} << 46);
    require(pthread_setattr_default_np(&large) == 0, "there is no such stack");
    round_trip_of<std::uint16_t>(3);
    costs();
    pthread_setattr_default_np(&usual);
    pthread_attr_destroy(&large);
    pthread_attr_destroy(&usual);
}

}  // namespace

int main(int argc, char** argv) {
    return drive(
        argc, argv, 40,
        {hostile, hostile_training, round_trip, bese, segments, merges, costs, without_threads});
}
