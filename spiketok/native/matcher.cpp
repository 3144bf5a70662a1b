#include "matcher.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "parallel.hpp"

namespace spike {
namespace {

constexpr std::size_t TASK_BYTES = 1 << 19;

// Encodes one text to `out`, which has room for as many ids as the text has bytes.
template <class Id>
Id* encode_text(const Trie& trie, std::span<const std::uint8_t> text, Id* out) {
    const std::uint32_t* const cells = trie.cells.data();
    const std::uint32_t* const ends = trie.ends.data();
    const std::uint8_t* at = text.data();
    const std::uint8_t* const stop = at + text.size();
    const auto close = [&](std::uint32_t cell) {
        const std::uint32_t end = ends[cell];
        at -= end & 255;
        *out++ = static_cast<Id>(end >> 8);
    };
    // A token that begins before `safe` needs no check for the end of the text.
    const std::uint8_t* const safe = stop - std::min(trie.longest, text.size());
    while (at < safe) {
        std::uint32_t cell = *at++;
        for (std::uint32_t state = cells[cell];;) {
            const std::uint32_t next = (state >> 8) + *at;
            state = cells[next];
            if ((state & 255) != *at) break;
            cell = next;
            ++at;
        }
        close(cell);
    }
    while (at < stop) {
        std::uint32_t cell = *at++;
        for (; at < stop; ++at) {
            const std::uint32_t next = (cells[cell] >> 8) + *at;
            if ((cells[next] & 255) != *at) break;
            cell = next;
        }
        close(cell);
    }
    return out;
}

// The first text of each task, and behind the last one the number of texts.
std::vector<std::size_t> cut_tasks(const Texts& texts) {
    std::vector<std::size_t> first{0};
    for (std::size_t i = 0, bytes = 0; i < texts.size(); ++i) {
        if (bytes >= TASK_BYTES) {
            first.push_back(i);
            bytes = 0;
        }
        // Empty texts cost something too.
        bytes += texts[i].size() + 16;
    }
    first.push_back(texts.size());
    return first;
}

}  // namespace

template <class Id>
Encoded<Id> encode(const Trie& trie, const Texts& texts, unsigned threads) {
    const std::vector<std::size_t> first = cut_tasks(texts);
    const std::size_t tasks = first.size() - 1;
    std::vector<std::vector<Id>> parts(tasks);
    Array<std::int64_t> offsets(texts.size() + 1);
    for_each_task(tasks, threads, [&](std::size_t task) {
        Array<Id> room(texts.begin(first[task + 1]) - texts.begin(first[task]));
        Id* out = room.items.get();
        for (std::size_t i = first[task]; i < first[task + 1]; ++i) {
            Id* const start = out;
            out = encode_text(trie, texts[i], start);
            offsets.items[i + 1] = out - start;
        }
        parts[task].assign(room.items.get(), out);
    });
    offsets.items[0] = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) offsets.items[i + 1] += offsets.items[i];
    Array<Id> ids(static_cast<std::size_t>(offsets.items[texts.size()]));
    for_each_task(tasks, threads, [&](std::size_t task) {
        std::ranges::copy(parts[task], ids.items.get() + offsets.items[first[task]]);
        parts[task] = {};
    });
    return {std::move(ids), std::move(offsets)};
}

template Encoded<std::uint16_t> encode(const Trie&, const Texts&, unsigned);
template Encoded<std::uint32_t> encode(const Trie&, const Texts&, unsigned);

namespace {

// Entries up to this long are copied whole, whatever their length: a constant is faster.
constexpr std::size_t COPIED_AT_ONCE = 16;

}  // namespace

DecodingTable::DecodingTable(const Texts& entries) {
    if (entries.total() > std::numeric_limits<std::uint32_t>::max() - COPIED_AT_ONCE) {
        throw std::invalid_argument("the vocabulary is too large");
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
        entries_.push_back({static_cast<std::uint32_t>(bytes_.size()),
                            static_cast<std::uint32_t>(entries[i].size())});
        bytes_.append(entries[i].begin(), entries[i].end());
    }
    bytes_.append(COPIED_AT_ONCE, '\0');
}

template <class Id>
std::size_t DecodingTable::measure(std::span<const Id> ids) const {
    std::size_t total = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        // A negative id becomes a very large one.
        if (static_cast<std::uint64_t>(ids[i]) >= entries_.size()) {
            throw std::invalid_argument("id " + std::to_string(ids[i]) + " at position " +
                                        std::to_string(i) + " is not below the vocabulary's " +
                                        std::to_string(entries_.size()));
        }
        total += entries_[static_cast<std::size_t>(ids[i])].length;
    }
    return total;
}

template <class Id>
void DecodingTable::decode(std::span<const Id> ids, std::span<char> out) const {
    char* at = out.data();
    const char* const stop = at + out.size();
    for (const Id id : ids) {
        const Entry entry = entries_[static_cast<std::size_t>(id)];
        const char* const source = bytes_.data() + entry.start;
        if (entry.length <= COPIED_AT_ONCE && stop - at >= std::ptrdiff_t{COPIED_AT_ONCE}) {
            std::memcpy(at, source, COPIED_AT_ONCE);
        } else {
            std::copy_n(source, entry.length, at);
        }
        at += entry.length;
    }
}

template std::size_t DecodingTable::measure(std::span<const std::uint16_t>) const;
template std::size_t DecodingTable::measure(std::span<const std::uint32_t>) const;
template std::size_t DecodingTable::measure(std::span<const std::int64_t>) const;
template void DecodingTable::decode(std::span<const std::uint16_t>, std::span<char>) const;
template void DecodingTable::decode(std::span<const std::uint32_t>, std::span<char>) const;
template void DecodingTable::decode(std::span<const std::int64_t>, std::span<char>) const;

}  // namespace spike
