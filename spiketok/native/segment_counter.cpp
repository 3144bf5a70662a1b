#include "segment_counter.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace spike {
namespace {

constexpr std::size_t FIRST_SLOTS = 1024;

// FNV-1a, and a finaliser that spreads it to all bits.
std::uint64_t hash_of(std::span<const std::uint8_t> ids) {
    std::uint64_t hash = 0xCBF29CE484222325u;
    for (const std::uint8_t id : ids) hash = (hash ^ id) * 0x100000001B3u;
    hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9u;
    return hash ^ hash >> 32;
}

}  // namespace

SegmentCounter::SegmentCounter(std::size_t capacity) : capacity_(capacity), index_(FIRST_SLOTS) {}

std::span<const std::uint8_t> SegmentCounter::segment(std::size_t i) const {
    const std::size_t end = i + 1 < segments_.size() ? segments_[i + 1].begin : ids_.size();
    return std::span(ids_).subspan(segments_[i].begin, end - segments_[i].begin);
}

void SegmentCounter::add(const Texts& texts) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
        for_each_segment(alphabet_, texts[i], buffer_,
                         [&](auto segment) { count_segment(segment); });
    }
}

void SegmentCounter::count_segment(std::span<const std::uint8_t> ids) {
    const std::uint64_t hash = hash_of(ids);
    if (!is_kept(hash)) return;
    // Allocate before anything changes, so that a failure changes nothing.
    if ((segments_.size() + 1) * 2 > index_.size()) rebuild_index(index_.size() * 2);
    if (segments_.size() == segments_.capacity()) segments_.reserve(2 * segments_.size() + 64);
    std::size_t slot = hash & (index_.size() - 1);
    for (; index_[slot] != 0; slot = (slot + 1) & (index_.size() - 1)) {
        Segment& known = segments_[index_[slot] - 1];
        if (known.hash != hash || !std::ranges::equal(segment(index_[slot] - 1), ids)) continue;
        ++known.count;
        return;
    }
    if (segments_.size() == std::numeric_limits<std::uint32_t>::max() - 1) {
        throw std::invalid_argument("the text has more than 4 Gi different segments");
    }
    const std::size_t begin = ids_.size();
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    segments_.push_back({hash, begin, 1});
    index_[slot] = static_cast<std::uint32_t>(segments_.size());
    while (ids_.size() + segments_.size() * SEGMENT_COST > capacity_ && halvings_ < 63) halve();
}

void SegmentCounter::halve() {
    ++halvings_;
    std::size_t kept = 0, end = 0;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        const auto ids = segment(i);
        if (!is_kept(segments_[i].hash)) continue;
        std::copy(ids.begin(), ids.end(), ids_.begin() + static_cast<std::ptrdiff_t>(end));
        segments_[kept++] = {segments_[i].hash, end, segments_[i].count};
        end += ids.size();
    }
    segments_.resize(kept);
    ids_.resize(end);
    rebuild_index(index_.size());
}

void SegmentCounter::rebuild_index(std::size_t slots) {
    index_.assign(slots, 0);
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        std::size_t slot = segments_[i].hash & (slots - 1);
        while (index_[slot] != 0) slot = (slot + 1) & (slots - 1);
        index_[slot] = static_cast<std::uint32_t>(i + 1);
    }
}

}  // namespace spike
