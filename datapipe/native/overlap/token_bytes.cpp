#include "token_bytes.hpp"

#include <cstring>
#include <stdexcept>

#include "window_set.hpp"

namespace spike {

namespace {

// Bytes that are copied at once, also beyond the end of a shorter entry.
constexpr std::size_t STEP = 16;

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
        starts_.push_back(static_cast<std::uint32_t>(offsets[id]));
        lengths_.push_back(static_cast<std::uint32_t>(offsets[id + 1] - offsets[id]));
    }
}

template <class Id>
void TokenBytes::decode(std::span<const Id> ids) {
    size_ = 0;
    ends_.clear();
    std::size_t size = 0;
    for (const Id id : ids) {
        if (id >= lengths_.size()) throw std::invalid_argument("an id is unknown");
        size += lengths_[id];
    }
    if (bytes_.size() < size + STEP) bytes_.resize(size + STEP);
    std::uint8_t* to = bytes_.data();
    for (const Id id : ids) {
        const std::size_t length = lengths_[id];
        if (length == 0) {
            ends_.push_back(to - bytes_.data());
            continue;
        }
        const std::uint8_t* const from = entries_.data() + starts_[id];
        std::memcpy(to, from, STEP);
        if (length > STEP) std::memcpy(to + STEP, from + STEP, length - STEP);
        to += length;
    }
    size_ = size;
    ends_.push_back(static_cast<std::int64_t>(size));
}

template void TokenBytes::decode(std::span<const std::uint16_t>);
template void TokenBytes::decode(std::span<const std::uint32_t>);

}  // namespace spike
