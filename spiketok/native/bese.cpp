#include "bese.hpp"

#include <algorithm>
#include <stdexcept>

#include "parallel.hpp"

namespace spike {
namespace {

constexpr std::size_t MAX_EXPANSION_BYTES = std::size_t{1} << 26;
// Texts are encoded in parts of about this size, which end where a segment ends in any case.
constexpr std::size_t PART_BYTES = 1 << 18;

struct Part {
    std::size_t text;
    std::span<const std::uint8_t> bytes;
};

// The first byte from `least` on where a text can be split: after a run of newlines.
std::size_t find_cut(std::span<const std::uint8_t> bytes, std::size_t least) {
    for (std::size_t at = least; at < bytes.size(); ++at) {
        if (bytes[at - 1] == '\n' && bytes[at] != '\n') return at;
    }
    return bytes.size();
}

std::vector<Part> cut_texts(const Texts& texts, bool cut) {
    std::vector<Part> parts;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        std::span<const std::uint8_t> left = texts[i];
        while (cut && left.size() > PART_BYTES) {
            const std::size_t size = find_cut(left, PART_BYTES);
            parts.push_back({i, left.first(size)});
            left = left.subspan(size);
        }
        parts.push_back({i, left});
    }
    return parts;
}

// The first part of each task, followed by the number of parts.
std::vector<std::size_t> partition_into_tasks(const std::vector<Part>& parts) {
    std::vector<std::size_t> first{0};
    for (std::size_t i = 0, bytes = 0; i < parts.size(); ++i) {
        if (bytes >= PART_BYTES) {
            first.push_back(i);
            bytes = 0;
        }
        bytes += parts[i].bytes.size() + 16;
    }
    first.push_back(parts.size());
    return first;
}

}  // namespace

Bese::Bese(bool lossless, std::span<const std::uint32_t> left, std::span<const std::uint32_t> right,
           std::string name, std::size_t size)
    : alphabet_(lossless), merges_(BASE_IDS, left, right), name_(std::move(name)) {
    starts_.push_back(0);
    for (std::size_t base = 0; base < BASE_IDS; ++base) {
        expansions_.push_back(static_cast<std::uint8_t>(base));
        starts_.push_back(expansions_.size());
    }
    for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
        const std::size_t begin = expansions_.size();
        if (left[rank] == DOC || right[rank] == DOC) {
            throw std::invalid_argument("merge " + std::to_string(rank) + " joins the separator");
        }
        const std::size_t length = expansion(left[rank]).size() + expansion(right[rank]).size();
        if (length > MAX_BASE_IDS || begin + length > MAX_EXPANSION_BYTES) {
            throw std::invalid_argument("merge " + std::to_string(rank) + " is too long");
        }
        expansions_.resize(begin + length);
        const auto start = expansions_.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto middle = std::ranges::copy(expansion(left[rank]), start).out;
        std::ranges::copy(expansion(right[rank]), middle);
        starts_.push_back(expansions_.size());
    }
    if (size + 1 < starts_.size() || size > MAX_EXPANSION_BYTES) {
        throw std::invalid_argument("the number of ids does not fit the merges");
    }
    starts_.resize(size + 1, expansions_.size());
}

template <class Id>
Encoded<Id> Bese::encode(const Texts& texts, unsigned threads) const {
    const std::vector<Part> parts = cut_texts(texts, alphabet_.lossless());
    const std::vector<std::size_t> first = partition_into_tasks(parts);
    const std::size_t tasks = first.size() - 1;
    std::vector<std::vector<Id>> found(tasks);
    std::vector<std::size_t> counts(parts.size());
    for_each_task(tasks, threads, [&](std::size_t task) {
        MergeWorkspace workspace(merges_);
        std::vector<std::uint8_t> segment;
        std::vector<Id>& ids = found[task];
        for (std::size_t i = first[task]; i < first[task + 1]; ++i) {
            const std::size_t before = ids.size();
            for_each_segment(
                alphabet_, parts[i].bytes, segment, [&](std::span<const std::uint8_t> row) {
                    workspace.merge(row,
                                    [&](std::uint32_t id) { ids.push_back(static_cast<Id>(id)); });
                });
            counts[i] = ids.size() - before;
        }
    });
    Array<std::int64_t> offsets(texts.size() + 1);
    std::fill_n(offsets.items.get(), offsets.size, 0);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        offsets.items[parts[i].text + 1] += static_cast<std::int64_t>(counts[i]);
    }
    for (std::size_t i = 0; i < texts.size(); ++i) offsets.items[i + 1] += offsets.items[i];
    Array<Id> ids(static_cast<std::size_t>(offsets.items[texts.size()]));
    Id* place = ids.items.get();
    for (std::vector<Id>& part : found) {
        place = std::ranges::copy(part, place).out;
        part = {};
    }
    return {std::move(ids), std::move(offsets)};
}

template <class Id>
std::uint32_t Bese::decode(std::span<const Id> ids, std::uint32_t state, std::string& text) const {
    BaseReader reader(alphabet_, state);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        // A negative id becomes a very large one.
        if (static_cast<std::uint64_t>(ids[i]) >= size()) {
            throw std::invalid_argument("id " + std::to_string(ids[i]) + " at position " +
                                        std::to_string(i) + " is not below the vocabulary's " +
                                        std::to_string(size()));
        }
        for (const std::uint8_t base : expansion(static_cast<std::size_t>(ids[i]))) {
            const std::uint8_t byte = reader.read(base);
            if (is_byte(base)) text.push_back(static_cast<char>(byte));
            if (base == DOC) text += name_;
        }
    }
    return reader.state();
}

template Encoded<std::uint16_t> Bese::encode(const Texts&, unsigned) const;
template Encoded<std::uint32_t> Bese::encode(const Texts&, unsigned) const;
template std::uint32_t Bese::decode(std::span<const std::uint16_t>, std::uint32_t,
                                    std::string&) const;
template std::uint32_t Bese::decode(std::span<const std::uint32_t>, std::uint32_t,
                                    std::string&) const;
template std::uint32_t Bese::decode(std::span<const std::int64_t>, std::uint32_t,
                                    std::string&) const;

}  // namespace spike
