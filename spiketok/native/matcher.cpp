#include "matcher.hpp"

#include <algorithm>
#include <vector>

#include "lanes.hpp"
#include "parallel.hpp"

namespace spike {
namespace {

constexpr std::size_t MIN_SLICE_BYTES = 1 << 10, MAX_SLICE_BYTES = 1 << 14, SLICES_PER_TASK = 32;

// A single text becomes one slice for each lane.
std::size_t default_slice_bytes(std::size_t total) {
    return std::clamp(total / LANES + 1, MIN_SLICE_BYTES, MAX_SLICE_BYTES);
}

// Splits texts into slices. Between two slices of a text is an empty one, for a bridge.
template <class Id>
std::vector<Slice<Id>> split_into_slices(const Texts& texts, std::size_t slice_bytes) {
    std::vector<Slice<Id>> slices;
    slices.reserve(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::uint8_t* begin = texts[i].data();
        const std::uint8_t* const limit = begin + texts[i].size();
        std::size_t more = texts[i].empty() ? 0 : (texts[i].size() - 1) / slice_bytes;
        for (; more > 0; --more) {
            const std::uint8_t* const stop =
                begin + static_cast<std::size_t>(limit - begin) / (more + 1);
            slices.push_back({begin, stop, limit});
            slices.push_back({stop, stop, limit});
            begin = stop;
        }
        slices.push_back({begin, limit, limit});
    }
    return slices;
}

// The first slice of each task, followed by the number of slices.
template <class Id>
std::vector<std::size_t> partition_into_tasks(std::span<const Slice<Id>> slices,
                                              std::size_t task_bytes) {
    std::vector<std::size_t> first{0};
    for (std::size_t i = 0, bytes = 0; i < slices.size(); ++i) {
        if (bytes >= task_bytes) {
            first.push_back(i);
            bytes = 0;
        }
        // Empty texts have a cost, too.
        bytes += slices[i].bytes() + 16;
    }
    first.push_back(slices.size());
    return first;
}

// Encodes the slices and returns the memory with their ids.
template <class Id>
std::vector<Id> encode_task(const LongestMatch& match, std::span<Slice<Id>> slices) {
    std::size_t bytes = 0, count = 0;
    for (const Slice<Id>& slice : slices) bytes += slice.bytes();
    const Array<Id> buffer(bytes);
    Id* next = buffer.items.get();
    for (Slice<Id>& slice : slices) {
        slice.ids = next;
        next += slice.bytes();
    }
    encode_slices(match, slices);
    for (const Slice<Id>& slice : slices) count += slice.count;
    std::vector<Id> ids;
    ids.reserve(count);
    for (Slice<Id>& slice : slices) {
        Id* const place = ids.data() + ids.size();
        ids.insert(ids.end(), slice.ids, slice.ids + slice.count);
        slice.ids = place;
    }
    return ids;
}

// Joins slice `right`, which was encoded as if its document began there, to the end of the slice
// before it: the bridge encodes from that end on, and `right` drops tokens, until both are at the
// same byte. The tokens from there on depend on the following bytes alone, so they are those of the
// whole text. Where `right` has no boundary in common, the bridge replaces all of it. Returns the
// bridge's ids.
template <class Id>
std::vector<Id> join(const LongestMatch& match, const std::uint8_t* left_end, Slice<Id>& right) {
    std::vector<Id> bridge;
    const std::uint8_t* from = right.begin;
    const auto is_joined = [&](const std::uint8_t* at) {
        for (; from < at && right.count > 0; --right.count) {
            from += match.trie.lengths[*right.ids++];
        }
        if (from < at) right.end = at;
        return from <= at;
    };
    if (is_joined(left_end)) return bridge;
    const auto take = [&](std::uint32_t id, const std::uint8_t* end) {
        bridge.push_back(static_cast<Id>(id));
        return !is_joined(end);
    };
    match.cut(left_end, right.limit, INITIAL_RESCAN_BUDGET, take);
    return bridge;
}

}  // namespace

template <class Id>
Encoded<Id> encode(const LongestMatch& match, const Texts& texts, unsigned threads,
                   std::size_t slice_bytes) {
    if (slice_bytes == 0) slice_bytes = default_slice_bytes(texts.total());
    std::vector<Slice<Id>> slices = split_into_slices<Id>(texts, slice_bytes);
    const std::vector<std::size_t> first =
        partition_into_tasks(std::span<const Slice<Id>>(slices), slice_bytes * SLICES_PER_TASK);
    const std::size_t tasks = first.size() - 1;
    std::vector<std::vector<Id>> memory(tasks);
    const auto slices_of = [&](std::size_t task) {
        return std::span(slices).subspan(first[task], first[task + 1] - first[task]);
    };
    for_each_task(tasks, threads,
                  [&](std::size_t task) { memory[task] = encode_task(match, slices_of(task)); });
    for (std::size_t i = 0; i < slices.size(); ++i) {
        const bool is_bridge = slices[i].bytes() == 0 && slices[i].stop < slices[i].limit;
        if (!is_bridge) continue;
        memory.push_back(join(match, slices[i - 1].end, slices[i + 1]));
        slices[i].ids = memory.back().data();
        slices[i].count = memory.back().size();
    }
    Array<std::int64_t> offsets(texts.size() + 1);
    std::vector<std::size_t> starts(slices.size());
    std::size_t count = 0;
    offsets.items[0] = 0;
    for (std::size_t i = 0, text = 0; i < slices.size(); ++i) {
        starts[i] = count;
        count += slices[i].count;
        if (slices[i].stop == slices[i].limit) {
            offsets.items[++text] = static_cast<std::int64_t>(count);
        }
    }
    Array<Id> ids(count);
    for_each_task(tasks, threads, [&](std::size_t task) {
        for (std::size_t i = first[task]; i < first[task + 1]; ++i) {
            std::copy_n(slices[i].ids, slices[i].count, ids.items.get() + starts[i]);
        }
        memory[task] = {};
    });
    return {std::move(ids), std::move(offsets)};
}

template Encoded<std::uint16_t> encode(const LongestMatch&, const Texts&, unsigned, std::size_t);
template Encoded<std::uint32_t> encode(const LongestMatch&, const Texts&, unsigned, std::size_t);

}  // namespace spike
