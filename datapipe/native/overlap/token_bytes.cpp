#include "token_bytes.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "window_set.hpp"

namespace spike {

namespace {

// Bytes that are copied at once, also beyond the end of a shorter entry.
constexpr std::size_t STEP = 16;
// Bytes for which room is made at once, unless one id has more.
constexpr std::size_t BLOCK_BYTES = 1 << 17;

}  // namespace

TokenBytes::TokenBytes(std::span<const std::uint8_t> entries,
                       std::span<const std::int64_t> offsets) {
    if (offsets.empty() || offsets.front() != 0 || entries.size() > UINT32_MAX - STEP)
        throw std::invalid_argument("entries do not fit");
    check_ends(offsets, entries.size());
    entries_.reserve(entries.size() + STEP);
    entries_.assign(entries.begin(), entries.end());
    entries_.resize(entries.size() + STEP);
    for (std::size_t id = 0; id + 1 < offsets.size(); ++id) {
        const auto length = static_cast<std::uint32_t>(offsets[id + 1] - offsets[id]);
        places_.push_back({static_cast<std::uint32_t>(offsets[id]), length});
        longest_ = std::max<std::size_t>(longest_, length);
    }
}

template <class Id>
void TokenBytes::decode(std::span<const Id> ids) {
    size_ = 0;
    ends_.clear();
    std::size_t size = 0;
    const std::size_t block_ids = BLOCK_BYTES / std::max<std::size_t>(longest_, 1) + 1;
    for (std::size_t first = 0; first < ids.size(); first += block_ids) {
        const auto block = ids.subspan(first, std::min(block_ids, ids.size() - first));
        const std::size_t room = size + block.size() * longest_ + STEP;
        if (bytes_.size() < room) bytes_.resize(std::max(room, 2 * bytes_.size()));
        std::uint8_t* to = bytes_.data() + size;
        for (const Id id : block) {
            if (id >= places_.size()) throw std::invalid_argument("an id is unknown");
            const auto [start, length] = places_[id];
            if (length == 0) {
                ends_.push_back(to - bytes_.data());
                continue;
            }
            const std::uint8_t* const from = entries_.data() + start;
            std::memcpy(to, from, STEP);
            if (length > STEP) std::memcpy(to + STEP, from + STEP, length - STEP);
            to += length;
        }
        size = static_cast<std::size_t>(to - bytes_.data());
    }
    ends_.push_back(static_cast<std::int64_t>(size));
    size_ = size;
}

template void TokenBytes::decode(std::span<const std::uint16_t>);
template void TokenBytes::decode(std::span<const std::uint32_t>);

}  // namespace spike
