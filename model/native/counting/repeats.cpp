#include "repeats.hpp"

#include <algorithm>
#include <stdexcept>

namespace spike {

namespace {

constexpr std::size_t FIRST_SLOTS = 1024, AHEAD = 8;
constexpr std::uint64_t FACTOR = 0x9E3779B97F4A7C15u;

std::uint64_t scatter(std::uint64_t key) {
    key = (key ^ key >> 31) * 0xD6E8FEB86659FD93u;
    return key ^ key >> 32;
}

std::uint32_t mark_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

}  // namespace

Repeats::Repeats(std::uint32_t vocab_size, std::span<const std::uint32_t> lengths)
    : vocab_size_(vocab_size), hashes_{0} {
    if (vocab_size == 0 || vocab_size > INT32_MAX)
        throw std::invalid_argument("no such vocabulary");
    std::uint32_t before = 0;
    for (const std::uint32_t length : lengths) {
        if (length <= before || length > MOST_LENGTH) {
            throw std::invalid_argument("lengths must rise, from 1 to at most 1024");
        }
        std::uint64_t power = 1;
        for (std::uint32_t i = 0; i < length; ++i) power *= FACTOR;
        tables_.push_back({length, power, std::vector<Slot>(FIRST_SLOTS)});
        before = length;
    }
    if (tables_.empty()) throw std::invalid_argument("needed is at least one length");
}

void Repeats::restart() {
    row_.resize(learned_);
    hashes_.resize(learned_ + 1);
    start_ = learned_;
}

std::uint64_t Repeats::hash(const Table& table, std::size_t end) const {
    return scatter(hashes_[end] - hashes_[end - table.length] * table.power);
}

// The slot of the context at the row's end, or the empty one where it belongs.
std::size_t Repeats::find(const Table& table) const {
    const std::size_t mask = table.slots.size() - 1;
    const std::uint64_t key = hash(table, row_.size());
    const auto end = row_.end(), begin = end - table.length;
    for (std::size_t i = key & mask;; i = (i + 1) & mask) {
        const Slot& slot = table.slots[i];
        if (slot.place == 0) return i;
        if (slot.mark != mark_of(key)) continue;
        if (std::equal(begin, end, row_.begin() + (slot.place - table.length))) return i;
    }
}

Repeats::Hint Repeats::hint_of(const Table& table, std::size_t slot) const {
    const std::uint32_t place = table.slots[slot].place;
    const double trust =
        (static_cast<double>(table.right) + 0.5) / (static_cast<double>(table.hints) + 1);
    return {row_[place], static_cast<std::uint32_t>(&table - tables_.data()), trust};
}

Repeats::Hint Repeats::hint() const {
    for (std::size_t t = tables_.size(); t-- > 0;) {
        const Table& table = tables_[t];
        if (row_.size() - start_ < table.length) continue;
        const std::size_t slot = find(table);
        if (table.slots[slot].place != 0) return hint_of(table, slot);
    }
    return {NONE, NONE, 0};
}

void Repeats::grow(Table& table) {
    std::vector<Slot> old(2 * table.slots.size());
    old.swap(table.slots);
    const std::size_t mask = table.slots.size() - 1;
    for (const Slot& slot : old) {
        if (slot.place == 0) continue;
        std::size_t i = hash(table, slot.place) & mask;
        while (table.slots[i].place != 0) i = (i + 1) & mask;
        table.slots[i] = slot;
    }
}

void Repeats::note(Table& table, std::size_t slot) {
    Slot& found = table.slots[slot];
    table.used += found.place == 0;
    found = {mark_of(hash(table, row_.size())), static_cast<std::uint32_t>(row_.size())};
}

// A token is read whole or not at all: what takes memory comes first.
void Repeats::make_room() {
    for (Table& table : tables_) {
        if ((table.used + 1) * 3 > table.slots.size() * 2) grow(table);
    }
}

template <class Id>
void Repeats::read(std::span<const Id> ids, bool learn, std::span<std::uint32_t> tokens,
                   std::span<std::uint32_t> kinds, std::span<double> trusts) {
    if (tokens.size() != ids.size() || kinds.size() != ids.size() || trusts.size() != ids.size()) {
        throw std::invalid_argument("needed is room for a hint for each id");
    }
    for (const Id id : ids) {
        if (id >= vocab_size_) throw std::invalid_argument("an id is not in the vocabulary");
    }
    if (learn && learned_ != row_.size()) restart();
    if (ids.size() > INT32_MAX - std::min<std::size_t>(row_.size(), INT32_MAX)) {
        throw std::length_error("there are too many tokens");
    }
    // A call that failed may have left some.
    hashes_.resize(row_.size() + 1);
    const std::size_t size = hashes_.size() + ids.size();
    if (size > row_.capacity()) row_.reserve(std::max(size, row_.size() * 2));
    if (size > hashes_.capacity()) hashes_.reserve(std::max(size, hashes_.size() * 2));
    for (const Id id : ids) hashes_.push_back(hashes_.back() * FACTOR + scatter(id + 1));
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const std::size_t later = std::min(row_.size() + AHEAD, hashes_.size() - 1);
        for (const Table& table : tables_) {
            if (later - start_ < table.length) break;
            __builtin_prefetch(&table.slots[hash(table, later) & (table.slots.size() - 1)]);
        }
        if (learn) make_room();
        Hint best{NONE, NONE, 0};
        for (Table& table : tables_) {
            if (row_.size() - start_ < table.length) break;
            const std::size_t slot = find(table);
            if (table.slots[slot].place != 0) best = hint_of(table, slot);
            if (learn) note(table, slot);
        }
        tokens[i] = best.token;
        kinds[i] = best.kind;
        trusts[i] = best.trust;
        if (learn && best.kind != NONE) {
            ++tables_[best.kind].hints;
            tables_[best.kind].right += best.token == ids[i];
        }
        row_.push_back(ids[i]);
        if (learn) learned_ = row_.size();
    }
}

std::size_t Repeats::bytes() const {
    std::size_t sum = row_.capacity() * sizeof(row_[0]) + hashes_.capacity() * sizeof(hashes_[0]);
    for (const Table& table : tables_) sum += table.slots.capacity() * sizeof(Slot);
    return sum;
}

template void Repeats::read(std::span<const std::uint16_t>, bool, std::span<std::uint32_t>,
                            std::span<std::uint32_t>, std::span<double>);
template void Repeats::read(std::span<const std::uint32_t>, bool, std::span<std::uint32_t>,
                            std::span<std::uint32_t>, std::span<double>);

}  // namespace spike
