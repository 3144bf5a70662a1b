#include "match_model.hpp"

#include <algorithm>
#include <stdexcept>

namespace spike {

namespace {

constexpr std::size_t FIRST_SLOTS = 1024, PREFETCH_DISTANCE = 8;
constexpr std::uint64_t HASH_BASE = 0x9E3779B97F4A7C15u;

std::uint64_t mix_bits(std::uint64_t key) {
    key = (key ^ key >> 31) * 0xD6E8FEB86659FD93u;
    return key ^ key >> 32;
}

std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

}  // namespace

MatchModel::MatchModel(std::uint32_t vocab_size, std::span<const std::uint32_t> lengths)
    : vocab_size_(vocab_size), hashes_{0} {
    if (vocab_size == 0 || vocab_size > INT32_MAX)
        throw std::invalid_argument("no such vocabulary");
    std::uint32_t before = 0;
    for (const std::uint32_t length : lengths) {
        if (length <= before || length > MAX_LENGTH) {
            throw std::invalid_argument("lengths must rise, from 1 to at most 1024");
        }
        std::uint64_t power = 1;
        for (std::uint32_t i = 0; i < length; ++i) power *= HASH_BASE;
        tables_.push_back({length, power, std::vector<Slot>(FIRST_SLOTS)});
        before = length;
    }
    if (tables_.empty()) throw std::invalid_argument("there must be at least one length");
}

void MatchModel::restart() {
    history_.resize(learned_);
    hashes_.resize(learned_ + 1);
    start_ = learned_;
}

std::uint64_t MatchModel::hash(const Table& table, std::size_t end) const {
    return mix_bits(hashes_[end] - hashes_[end - table.length] * table.power);
}

// The slot of the context at the end of the history, or the empty one where it belongs.
std::size_t MatchModel::find(const Table& table) const {
    const std::size_t mask = table.slots.size() - 1;
    const std::uint64_t key = hash(table, history_.size());
    const auto end = history_.end(), begin = end - table.length;
    for (std::size_t i = key & mask;; i = (i + 1) & mask) {
        const Slot& slot = table.slots[i];
        if (slot.position == 0) return i;
        if (slot.tag != tag_of(key)) continue;
        if (std::equal(begin, end, history_.begin() + (slot.position - table.length))) return i;
    }
}

MatchModel::Match MatchModel::match_at(const Table& table, std::size_t slot) const {
    const std::uint32_t position = table.slots[slot].position;
    const double confidence =
        (static_cast<double>(table.correct) + 0.5) / (static_cast<double>(table.matches) + 1);
    return {history_[position], static_cast<std::uint32_t>(&table - tables_.data()), confidence};
}

MatchModel::Match MatchModel::predict_next() const {
    for (std::size_t t = tables_.size(); t-- > 0;) {
        const Table& table = tables_[t];
        if (history_.size() - start_ < table.length) continue;
        const std::size_t slot = find(table);
        if (table.slots[slot].position != 0) return match_at(table, slot);
    }
    return {NONE, NONE, 0};
}

void MatchModel::grow(Table& table) {
    std::vector<Slot> old(2 * table.slots.size());
    old.swap(table.slots);
    const std::size_t mask = table.slots.size() - 1;
    for (const Slot& slot : old) {
        if (slot.position == 0) continue;
        std::size_t i = hash(table, slot.position) & mask;
        while (table.slots[i].position != 0) i = (i + 1) & mask;
        table.slots[i] = slot;
    }
}

void MatchModel::store(Table& table, std::size_t slot) {
    Slot& found = table.slots[slot];
    table.used += found.position == 0;
    found = {tag_of(hash(table, history_.size())), static_cast<std::uint32_t>(history_.size())};
}

// Allocates before a token is added, so that it is added to all tables or to none.
void MatchModel::make_room() {
    for (Table& table : tables_) {
        if ((table.used + 1) * 3 > table.slots.size() * 2) grow(table);
    }
}

template <class Id>
void MatchModel::predict(std::span<const Id> ids, bool learn, std::span<std::uint32_t> tokens,
                         std::span<std::uint32_t> length_indexes, std::span<double> confidences) {
    if (tokens.size() != ids.size() || length_indexes.size() != ids.size() ||
        confidences.size() != ids.size()) {
        throw std::invalid_argument("there must be room for a match for each id");
    }
    for (const Id id : ids) {
        if (id >= vocab_size_) throw std::invalid_argument("an id is not in the vocabulary");
    }
    if (learn && learned_ != history_.size()) restart();
    if (ids.size() > INT32_MAX - std::min<std::size_t>(history_.size(), INT32_MAX)) {
        throw std::length_error("there are too many tokens");
    }
    // A call that failed may have left hashes.
    hashes_.resize(history_.size() + 1);
    const std::size_t size = hashes_.size() + ids.size();
    if (size > history_.capacity()) history_.reserve(std::max(size, history_.size() * 2));
    if (size > hashes_.capacity()) hashes_.reserve(std::max(size, hashes_.size() * 2));
    for (const Id id : ids) hashes_.push_back(hashes_.back() * HASH_BASE + mix_bits(id + 1));
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const std::size_t later = std::min(history_.size() + PREFETCH_DISTANCE, hashes_.size() - 1);
        for (const Table& table : tables_) {
            if (later - start_ < table.length) break;
            __builtin_prefetch(&table.slots[hash(table, later) & (table.slots.size() - 1)]);
        }
        if (learn) make_room();
        Match best{NONE, NONE, 0};
        for (Table& table : tables_) {
            if (history_.size() - start_ < table.length) break;
            const std::size_t slot = find(table);
            if (table.slots[slot].position != 0) best = match_at(table, slot);
            if (learn) store(table, slot);
        }
        tokens[i] = best.token;
        length_indexes[i] = best.length_index;
        confidences[i] = best.confidence;
        if (learn && best.length_index != NONE) {
            ++tables_[best.length_index].matches;
            tables_[best.length_index].correct += best.token == ids[i];
        }
        history_.push_back(ids[i]);
        if (learn) learned_ = history_.size();
    }
}

std::size_t MatchModel::bytes() const {
    std::size_t sum =
        history_.capacity() * sizeof(history_[0]) + hashes_.capacity() * sizeof(hashes_[0]);
    for (const Table& table : tables_) sum += table.slots.capacity() * sizeof(Slot);
    return sum;
}

template void MatchModel::predict(std::span<const std::uint16_t>, bool, std::span<std::uint32_t>,
                                  std::span<std::uint32_t>, std::span<double>);
template void MatchModel::predict(std::span<const std::uint32_t>, bool, std::span<std::uint32_t>,
                                  std::span<std::uint32_t>, std::span<double>);

}  // namespace spike
