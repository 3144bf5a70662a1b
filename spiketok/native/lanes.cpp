#include "lanes.hpp"

#include <algorithm>
#include <array>

namespace spike {
namespace {

// Lanes with fewer bytes left are finished one by one.
constexpr std::size_t MIN_LANE_BYTES = 32;
// The most steps before it is checked how far each lane has come.
constexpr std::size_t MAX_STEPS = 1024;

// A slice in progress: `cell` is the node of the open token, whose bytes end before `at`.
template <class Id>
struct Lane {
    const std::uint8_t* at;
    const std::uint8_t* stop;
    Cell cell;
    Id* out;
    Slice<Id>* slice;
    RescanBudget rescan_budget;

    std::size_t left() const { return static_cast<std::size_t>(stop - at); }
    bool is_active() const { return left() >= MIN_LANE_BYTES && rescan_budget >= 0; }
};

template <class Id>
Lane<Id> open_lane(const Cell* cells, Slice<Id>& slice) {
    return {slice.begin + 1, slice.stop, cells[*slice.begin],
            slice.ids,       &slice,     INITIAL_RESCAN_BUDGET};
}

// Has no branch that depends on the text: which way a step goes is hard to predict, so both are
// computed and a mask selects one. A step either extends the open token by the byte at `at`, or
// closes it and opens the next one with the byte at its end, bytes_past_match before `at`. The
// first way moves `at` by 1, the second by 1 - bytes_past_match: so the steps less the bytes moved
// are exactly the bytes that must be read again.
template <class Id, std::size_t COUNT>
void step_lanes(const Cell* const cells, std::array<Lane<Id>, LANES>& lanes, std::size_t steps) {
    const auto steps_taken = static_cast<RescanBudget>(steps);
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
            const Cell extended = cells[base(cell[i]) + byte];
            const std::uint8_t* const end = at[i] - bytes_past_match(cell[i]);
            const Cell restarted = cells[*end];
            const auto difference = static_cast<std::int64_t>(label(extended ^ byte));
            // All ones where the byte extends the token, else all zeros.
            const std::int64_t extends = (difference - 1) >> 63;
            // Overwritten until the token is closed.
            *out[i] = static_cast<Id>(token(cell[i]));
            out[i] += 1 + extends;
            at[i] = end + 1 + (bytes_past_match(cell[i]) & static_cast<std::size_t>(extends));
            cell[i] = restarted ^ ((restarted ^ extended) & static_cast<Cell>(extends));
        }
    }
    for (std::size_t i = 0; i < COUNT; ++i) {
        const RescanBudget moved = at[i] - lanes[i].at;
        lanes[i].rescan_budget += RESCAN_BUDGET_PER_BYTE * moved - (steps_taken - moved);
        lanes[i].at = at[i];
        lanes[i].cell = cell[i];
        lanes[i].out = out[i];
    }
}

// Encodes the rest of a slice.
template <class Id>
void finish_slice(const LongestMatch& match, Lane<Id> lane) {
    const Slice<Id>& slice = *lane.slice;
    Id* out = lane.out;
    const std::uint8_t* end = lane.at;
    const Cell closed = match.close_token(lane.cell, end, slice.limit);
    *out++ = static_cast<Id>(token(closed));
    if (end < slice.stop) {
        match.cut(end, slice.limit, lane.rescan_budget,
                  [&](std::uint32_t id, const std::uint8_t* at) {
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
    std::size_t active = 0;
    for (auto slice = slices.begin();;) {
        for (; active < LANES && slice != slices.end(); ++slice) {
            if (slice->bytes() == 0) continue;
            lanes[active] = open_lane(cells, *slice);
            if (lanes[active].is_active()) {
                ++active;
            } else {
                finish_slice(match, lanes[active]);
            }
        }
        if (active == 0) return;
        // A step moves by at most one byte, so no lane leaves its slice.
        std::size_t steps = MAX_STEPS;
        for (std::size_t i = 0; i < active; ++i) steps = std::min(steps, lanes[i].left());
        if (active == 4) step_lanes<Id, 4>(cells, lanes, steps);
        if (active == 3) step_lanes<Id, 3>(cells, lanes, steps);
        if (active == 2) step_lanes<Id, 2>(cells, lanes, steps);
        if (active == 1) step_lanes<Id, 1>(cells, lanes, steps);
        for (std::size_t i = active; i-- > 0;) {
            if (lanes[i].is_active()) continue;
            finish_slice(match, lanes[i]);
            lanes[i] = lanes[--active];
        }
    }
}

template void encode_slices(const LongestMatch&, std::span<Slice<std::uint16_t>>);
template void encode_slices(const LongestMatch&, std::span<Slice<std::uint32_t>>);

}  // namespace spike
