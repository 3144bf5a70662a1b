#include "decoder.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace spike {
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
