#include "lanes.hpp"

#include <algorithm>
#include <array>

namespace spike {
namespace {

// Fewer bytes than this are not worth the turn.
constexpr std::size_t SHORTEST_TURN = 32;
// After so many steps at the latest it is asked how far a lane has come.
constexpr std::size_t LONGEST_TURN = 1024;

// A slice on its way: `cell` is the node that the bytes of the open token before `at` lead to.
template <class Id>
struct Lane {
    const std::uint8_t* at;
    const std::uint8_t* stop;
    Cell cell;
    Id* out;
    Slice<Id>* slice;
    Patience patience;

    std::size_t left() const { return static_cast<std::size_t>(stop - at); }
    bool is_worth_a_turn() const { return left() >= SHORTEST_TURN && patience >= 0; }
};

template <class Id>
Lane<Id> enter(const Cell* cells, Slice<Id>& slice) {
    return {slice.begin + 1, slice.stop, cells[*slice.begin], slice.ids, &slice, FIRST_PATIENCE};
}

// Without a branch that depends on the text: which way a step goes is hard to foretell, so both are
// computed and a mask chooses.
template <class Id, std::size_t COUNT>
void take_turn(const Cell* const cells, std::array<Lane<Id>, LANES>& lanes, std::size_t steps) {
    const auto taken = static_cast<Patience>(steps);
    const std::uint8_t* at[COUNT];
    Cell cell[COUNT];
    Id* out[COUNT];
    for (std::size_t i = 0; i < COUNT; ++i) {
        at[i] = lanes[i].at;
        cell[i] = lanes[i].cell;
        out[i] = lanes[i].out;
    }
    for (; steps > 0; --steps) {
        for (std::size_t i = 0; i < COUNT; ++i) {
            const std::uint64_t byte = *at[i];
            const Cell longer = cells[base(cell[i]) + byte];
            const std::uint8_t* const end = at[i] - overrun(cell[i]);
            const Cell fresh = cells[*end];
            const auto difference = static_cast<std::int64_t>(label(longer ^ byte));
            // All bits are ones where the token grows, else zeros.
            const std::int64_t grows = (difference - 1) >> 63;
            // Overwritten until the token is closed.
            *out[i] = static_cast<Id>(token(cell[i]));
            out[i] += 1 + grows;
            at[i] = end + 1 + (overrun(cell[i]) & static_cast<std::size_t>(grows));
            cell[i] = fresh ^ ((fresh ^ longer) & static_cast<Cell>(grows));
        }
    }
    for (std::size_t i = 0; i < COUNT; ++i) {
        const Patience moved = at[i] - lanes[i].at;
        lanes[i].patience += PATIENCE_OF_A_BYTE * moved - (taken - moved);
        lanes[i].at = at[i];
        lanes[i].cell = cell[i];
        lanes[i].out = out[i];
    }
}

// Encodes what is left of a slice.
template <class Id>
void finish(const LongestMatch& match, Lane<Id> lane) {
    const Slice<Id>& slice = *lane.slice;
    Id* out = lane.out;
    const std::uint8_t* end = lane.at;
    const Cell closed = match.close_token(lane.cell, end, slice.limit);
    *out++ = static_cast<Id>(token(closed));
    if (end < slice.stop) {
        match.cut(end, slice.limit, lane.patience, [&](std::uint32_t id, const std::uint8_t* at) {
            *out++ = static_cast<Id>(id);
            end = at;
            return at < slice.stop;
        });
    }
    lane.slice->count = static_cast<std::size_t>(out - slice.ids);
    lane.slice->end = end;
}

}  // namespace

template <class Id>
void encode_slices(const LongestMatch& match, std::span<Slice<Id>> slices) {
    const Cell* const cells = match.trie.cells.data();
    std::array<Lane<Id>, LANES> lanes;
    std::size_t busy = 0;
    for (auto slice = slices.begin();;) {
        for (; busy < LANES && slice != slices.end(); ++slice) {
            if (slice->bytes() == 0) continue;
            lanes[busy] = enter(cells, *slice);
            if (lanes[busy].is_worth_a_turn()) {
                ++busy;
            } else {
                finish(match, lanes[busy]);
            }
        }
        if (busy == 0) return;
        // A step moves on by one byte at most.
        std::size_t steps = LONGEST_TURN;
        for (std::size_t i = 0; i < busy; ++i) steps = std::min(steps, lanes[i].left());
        if (busy == 4) take_turn<Id, 4>(cells, lanes, steps);
        if (busy == 3) take_turn<Id, 3>(cells, lanes, steps);
        if (busy == 2) take_turn<Id, 2>(cells, lanes, steps);
        if (busy == 1) take_turn<Id, 1>(cells, lanes, steps);
        for (std::size_t i = busy; i-- > 0;) {
            if (lanes[i].is_worth_a_turn()) continue;
            finish(match, lanes[i]);
            lanes[i] = lanes[--busy];
        }
    }
}

template void encode_slices(const LongestMatch&, std::span<Slice<std::uint16_t>>);
template void encode_slices(const LongestMatch&, std::span<Slice<std::uint32_t>>);

}  // namespace spike
