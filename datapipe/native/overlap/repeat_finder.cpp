#include "repeat_finder.hpp"

#include <algorithm>
#include <stdexcept>

#include "window_set.hpp"

namespace spike {

namespace {

constexpr std::uint32_t ROOT = 0, NONE = UINT32_MAX;
constexpr std::size_t MAX_TEXT = std::size_t{1} << 24;

}  // namespace

RepeatFinder::RepeatFinder(std::span<const std::uint8_t> text, std::size_t at_least)
    : at_least_(at_least),
      gram_(at_least / 2 + 1),
      stride_(at_least - gram_ + 1),
      grams_(std::min(text.size(), MAX_TEXT)) {
    if (text.size() > MAX_TEXT || at_least == 0) throw std::invalid_argument("text does not fit");
    for (std::size_t at = 0; at + gram_ <= text.size(); ++at)
        grams_.add(hash_bytes(text.data() + at, gram_));
    std::uint32_t last = add_state(0, 0);
    for (const std::uint8_t byte : text) last = append(last, byte);
    longest_.resize(text.size() + 1);
    is_new_.resize(text.size() + 1);
}

std::uint32_t RepeatFinder::add_state(std::uint32_t length, std::uint32_t end) {
    states_.push_back({length, NONE, NONE, end});
    return static_cast<std::uint32_t>(states_.size() - 1);
}

void RepeatFinder::add_edge(std::uint32_t state, std::uint8_t byte, std::uint32_t target) {
    edges_.push_back({states_[state].edges, target, byte});
    states_[state].edges = static_cast<std::uint32_t>(edges_.size() - 1);
}

std::uint32_t RepeatFinder::edge_of(std::uint32_t state, std::uint8_t byte) const {
    std::uint32_t edge = states_[state].edges;
    while (edge != NONE && edges_[edge].byte != byte) edge = edges_[edge].next;
    return edge;
}

// The construction online, byte by byte; returns the state of the whole text so far.
std::uint32_t RepeatFinder::append(std::uint32_t last, std::uint8_t byte) {
    const std::uint32_t length = states_[last].length + 1, whole = add_state(length, length);
    std::uint32_t state = last;
    for (; state != NONE && edge_of(state, byte) == NONE; state = states_[state].link)
        add_edge(state, byte, whole);
    if (state == NONE) {
        states_[whole].link = ROOT;
        return whole;
    }
    const std::uint32_t target = edges_[edge_of(state, byte)].target;
    if (states_[target].length == states_[state].length + 1) {
        states_[whole].link = target;
        return whole;
    }
    const std::uint32_t clone = add_state(states_[state].length + 1, states_[target].end);
    for (std::uint32_t edge = states_[target].edges; edge != NONE; edge = edges_[edge].next)
        add_edge(clone, edges_[edge].byte, edges_[edge].target);
    states_[clone].link = states_[target].link;
    states_[target].link = states_[whole].link = clone;
    redirect(state, byte, target, clone);
    return whole;
}

void RepeatFinder::redirect(std::uint32_t state, std::uint8_t byte, std::uint32_t from,
                            std::uint32_t to) {
    for (; state != NONE; state = states_[state].link) {
        const std::uint32_t edge = edge_of(state, byte);
        if (edge == NONE || edges_[edge].target != from) return;
        edges_[edge].target = to;
    }
}

void RepeatFinder::scan(std::span<const std::uint8_t> data, std::span<const std::int64_t> ends) {
    check_ends(ends, data.size());
    std::size_t begin = 0;
    for (const std::int64_t segment_end : ends) {
        const auto end = static_cast<std::size_t>(segment_end);
        std::size_t at = begin;
        while (at + gram_ <= end) {
            if (!grams_.has(hash_bytes(data.data() + at, gram_))) {
                at += stride_;
                continue;
            }
            // A passage that has this gram and none before it begins here or less than a stride
            // before.
            const std::size_t first = at - std::min(at - begin, stride_ - 1);
            at = follow(data.data(), first, at + gram_, end);
        }
        begin = end;
    }
}

// Reads on until `until` is passed and the passage is shorter than a gram; returns where it begins.
std::size_t RepeatFinder::follow(const std::uint8_t* data, std::size_t begin, std::size_t until,
                                 std::size_t end) {
    std::uint32_t state = ROOT;
    std::size_t length = 0, at = begin;
    for (; at < end && (at < until || length >= gram_); ++at) {
        std::uint32_t edge = edge_of(state, data[at]);
        if (edge == NONE) note(state, length, at);
        while (edge == NONE && state != ROOT) {
            state = states_[state].link;
            length = states_[state].length;
            edge = edge_of(state, data[at]);
        }
        if (edge == NONE) continue;
        state = edges_[edge].target;
        ++length;
    }
    if (at == end) {
        note(state, length, end);
        return end;
    }
    return at - length;
}

void RepeatFinder::note(std::uint32_t state, std::size_t length, std::size_t position) {
    const std::size_t end = states_[state].end;
    if (length < at_least_ || length <= longest_[end].length) return;
    longest_[end] = {end, length, position};
    is_new_[end] = true;
}

std::vector<Repeat> RepeatFinder::take() {
    std::vector<Repeat> found;
    for (std::size_t end = 0; end < is_new_.size(); ++end) {
        if (is_new_[end]) found.push_back(longest_[end]);
    }
    is_new_.assign(is_new_.size(), false);
    return found;
}

}  // namespace spike
