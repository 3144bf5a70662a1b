#include "context_counts.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace spike {

namespace {

constexpr std::size_t FIRST_SLOTS = 1024;
constexpr std::uint32_t END = UINT32_MAX;  // in the row: nothing follows what stands before

std::uint64_t scatter(std::uint32_t parent, std::uint32_t token) {
    std::uint64_t key = (std::uint64_t{parent} << 32 | token) * 0x9E3779B97F4A7C15u;
    key ^= key >> 32;
    return key * 0xD6E8FEB86659FD93u;
}

std::uint32_t mark_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

void check(std::span<const Discount> discounts, unsigned longest) {
    if (discounts.size() != longest + 1) throw std::invalid_argument("one discount per length");
    for (const Discount& d : discounts) {
        const bool fits = d.one >= 0 && d.one <= 1 && d.two >= 0 && d.two <= 2 && d.more >= 0 &&
                          d.more <= 3 && d.weight >= 0 && d.weight <= 1e9;
        if (!fits) throw std::invalid_argument("a discount is out of range");
    }
}

double kept_of(std::uint32_t count, const Discount& d) {
    return count - (count > 2 ? d.more : count == 2 ? d.two : d.one);
}

}  // namespace

ContextCounts::ContextCounts(std::uint32_t vocab_size, unsigned longest, bool continuation)
    : vocab_size_(vocab_size), longest_(longest), continuation_(continuation) {
    if (vocab_size == 0 || vocab_size > INT32_MAX)
        throw std::invalid_argument("no such vocabulary");
    if (longest > MOST_LONGEST) throw std::invalid_argument("contexts are too long");
    slots_.resize(FIRST_SLOTS);
    frequencies_.resize(4 * (longest + 1));
    contexts_.resize(longest + 1, NONE);
    found_.resize(longest + 1, NONE);
    nodes_.push_back({NONE, NONE, 0});
    restart();
}

void ContextCounts::restart() {
    if (!row_.empty() && row_.back() != END) row_.push_back(END);
    std::ranges::fill(contexts_, NONE);
    contexts_[0] = 0;
    depth_ = 0;
    unlearned_ = false;
}

void ContextCounts::check_id(std::uint64_t id) const {
    if (id >= vocab_size_) throw std::invalid_argument("an id is not in the vocabulary");
}

std::uint32_t ContextCounts::find(std::uint32_t parent, std::uint32_t token) const {
    const std::uint64_t hash = scatter(parent, token);
    for (std::size_t i = hash;; ++i) {
        const Slot& slot = slots_[i & (slots_.size() - 1)];
        if (slot.node == 0) return NONE;
        if (slot.mark != mark_of(hash)) continue;
        const Node& node = nodes_[slot.node];
        if (node.parent == parent && node.token == token) return slot.node;
    }
}

void ContextCounts::insert(std::uint32_t node) {
    const std::uint64_t hash = scatter(nodes_[node].parent, nodes_[node].token);
    std::size_t i = hash & (slots_.size() - 1);
    while (slots_[i].node != 0) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = {mark_of(hash), node};
}

void ContextCounts::reserve(std::size_t strings) {
    if (strings > MOST_STRINGS) throw std::length_error("there are too many strings");
    std::size_t slots = slots_.size();
    while ((strings + 1) * 3 > slots * 2) slots *= 2;
    if (slots > slots_.size()) rehash(slots);
}

void ContextCounts::make_room(std::size_t strings) {
    const std::size_t size = nodes_.size() + strings;
    if (size > MOST_STRINGS) throw std::length_error("there are too many strings");
    if (size > nodes_.capacity())
        nodes_.reserve(std::max(size, nodes_.size() + nodes_.size() / 4 + 1024));
    if (size * 3 > slots_.size() * 2) rehash(2 * slots_.size());
}

void ContextCounts::rehash(std::size_t slots) {
    slots_ = std::vector<Slot>(slots);
    for (std::uint32_t node = 1; node < nodes_.size(); ++node) insert(node);
}

std::uint32_t ContextCounts::add(std::uint32_t parent, std::uint32_t token, std::uint32_t count,
                                 std::uint32_t place) {
    const auto id = static_cast<std::uint32_t>(nodes_.size());
    Node& above = nodes_[parent];
    // The place of what followed goes once there are children.
    const std::uint32_t sibling = above.total == 0 ? NONE : above.first;
    above.first = id;
    above.total += count;
    ++(count > 2 ? above.more : count == 2 ? above.twos : above.ones);
    Node node{parent, token, count};
    node.first = place;
    node.sibling = sibling;
    nodes_.push_back(node);
    insert(id);
    return id;
}

void ContextCounts::raise(std::uint32_t id, unsigned length) {
    Node& node = nodes_[id];
    Node& above = nodes_[node.parent];
    if (node.count == 1) --above.ones, ++above.twos;
    if (node.count == 2) --above.twos, ++above.more;
    if (node.count <= 4) --frequencies_[4 * length + node.count - 1];
    if (++node.count <= 4) ++frequencies_[4 * length + node.count - 1];
    ++above.total;
}

// Stores what followed a string that is met for the second time.
void ContextCounts::unfold(std::uint32_t id) {
    const std::uint32_t place = nodes_[id].first;
    if (nodes_[id].total != 0 || place == NONE || place >= row_.size()) return;
    nodes_[id].first = NONE;
    if (row_[place] != END) add(id, row_[place], 1, place + 1);
}

void ContextCounts::look_up(std::uint32_t token) {
    for (unsigned k = 0; k <= depth_; ++k) {
        if (contexts_[k] == NONE) continue;
        __builtin_prefetch(&slots_[scatter(contexts_[k], token) & (slots_.size() - 1)]);
    }
    for (unsigned k = 0; k <= depth_; ++k) {
        if (contexts_[k] == NONE) continue;
        const Slot& slot = slots_[scatter(contexts_[k], token) & (slots_.size() - 1)];
        __builtin_prefetch(&nodes_[slot.node], 1);
    }
    for (unsigned k = 0; k <= depth_; ++k) {
        found_[k] = contexts_[k] == NONE ? NONE : find(contexts_[k], token);
    }
}

void ContextCounts::count(std::uint32_t token) {
    row_.push_back(token);
    const auto place = static_cast<std::uint32_t>(row_.size());
    unsigned known = 0;  // the lengths below the longest one with which the token was met
    for (unsigned k = 0; k <= depth_; ++k) {
        if (found_[k] != NONE) known = k;
    }
    for (unsigned k = 0; k <= depth_; ++k) {
        if (contexts_[k] == NONE || (continuation_ && k < known)) continue;
        if (found_[k] != NONE) {
            raise(found_[k], k);
        } else {
            add(contexts_[k], token, 1, k < longest_ ? place : NONE);
            ++frequencies_[4 * k];
        }
    }
    // Longer strings are new, too; their contexts wait in the row.
    const auto before = place - 1;
    for (unsigned k = depth_ + 1; k <= longest_ && k <= before && row_[before - k] != END; ++k) {
        ++frequencies_[4 * k];
    }
}

void ContextCounts::move_on() {
    const unsigned last = std::min(depth_ + 1, longest_);
    for (unsigned k = last; k > 0; --k) {
        contexts_[k] = found_[k - 1];
        if (contexts_[k] == NONE) continue;
        const std::uint32_t place = nodes_[contexts_[k]].first;
        if (place < row_.size()) __builtin_prefetch(&row_[place]);
    }
    depth_ = 0;
    for (unsigned k = 1; k <= last; ++k) {
        if (contexts_[k] == NONE) continue;
        unfold(contexts_[k]);
        depth_ = k;
    }
    for (unsigned k = depth_ + 1; k <= last; ++k) contexts_[k] = NONE;
}

void ContextCounts::prepare_to_learn(std::size_t more) {
    if (unlearned_) restart();
    if (more > INT32_MAX - std::min<std::size_t>(row_.size(), INT32_MAX)) {
        throw std::length_error("there are too many tokens");
    }
    if (row_.capacity() < row_.size() + more)
        row_.reserve(std::max(row_.size() + more, row_.size() * 5 / 4));
}

template <class Id>
void ContextCounts::learn(std::span<const Id> ids) {
    for (const Id id : ids) check_id(id);
    prepare_to_learn(ids.size());
    for (const Id id : ids) {
        make_room(2 * contexts_.size());
        look_up(id);
        count(id);
        move_on();
    }
}

template <class Id>
void ContextCounts::score(std::span<const Id> ids, std::span<const double> base,
                          std::span<const double> other, std::span<const Discount> discounts,
                          unsigned shortest, bool learn, const Scores& out) {
    check(discounts, longest_);
    const std::size_t size = ids.size();
    if (base.size() != size || out.p.size() != size * (longest_ + 1) ||
        out.lengths.size() != size || out.totals.size() != size || out.kinds.size() != size ||
        out.over.size() != other.size() || (!other.empty() && other.size() != size)) {
        throw std::invalid_argument("needed is one base probability for each id");
    }
    for (const Id id : ids) check_id(id);
    if (learn) prepare_to_learn(size);
    for (std::size_t i = 0; i < size; ++i) {
        make_room(2 * contexts_.size());
        look_up(ids[i]);
        describe(out.lengths[i], out.totals[i], out.kinds[i]);
        double p = base[i], q = other.empty() ? 0 : other[i];
        for (unsigned k = 0; k <= longest_; ++k) {
            if (k <= depth_ && contexts_[k] != NONE && nodes_[contexts_[k]].total != 0) {
                const Node& node = nodes_[contexts_[k]];
                const Discount& d = discounts[k];
                const double back = d.weight + node.pruned + d.one * node.ones + d.two * node.twos +
                                    d.more * node.more;
                const double own = found_[k] == NONE ? 0 : kept_of(nodes_[found_[k]].count, d);
                const double whole = node.total + d.weight;
                const double rest = back * p, other_rest = back * q;
                if (k >= shortest) p = (own + rest) / whole;
                if (k > 0) q = (own + other_rest) / whole;
            }
            out.p[i * (longest_ + 1) + k] = p;
        }
        if (!other.empty()) out.over[i] = q;
        if (learn) count(ids[i]);
        move_on();
    }
    unlearned_ = unlearned_ || (!learn && size != 0);
}

void ContextCounts::distribution(std::span<double> p, std::span<const Discount> discounts,
                                 unsigned shortest) const {
    check(discounts, longest_);
    const std::size_t size = vocab_size_;
    if (p.size() != size * (longest_ + 1))
        throw std::invalid_argument("needed is a number for each id");
    for (unsigned k = 0; k <= longest_; ++k) {
        const auto now = p.subspan(k * size, size);
        if (k > 0) std::ranges::copy(p.subspan((k - 1) * size, size), now.begin());
        if (k < shortest || k > depth_ || contexts_[k] == NONE || nodes_[contexts_[k]].total == 0)
            continue;
        const Node& node = nodes_[contexts_[k]];
        const Discount& d = discounts[k];
        const double back =
            d.weight + node.pruned + d.one * node.ones + d.two * node.twos + d.more * node.more;
        for (double& item : now) item *= back;
        for (std::uint32_t child = node.first; child != NONE; child = nodes_[child].sibling) {
            now[nodes_[child].token] += kept_of(nodes_[child].count, d);
        }
        const double whole = node.total + d.weight;
        for (double& item : now) item /= whole;
    }
}

void ContextCounts::describe(std::uint32_t& length, std::uint32_t& total,
                             std::uint32_t& kinds) const {
    length = total = kinds = 0;
    for (unsigned k = depth_ + 1; k-- > 0;) {
        if (contexts_[k] == NONE || nodes_[contexts_[k]].total == 0) continue;
        length = k;
        total = nodes_[contexts_[k]].total;
        kinds = nodes_[contexts_[k]].kinds();
        return;
    }
}

std::size_t ContextCounts::bytes() const {
    return nodes_.capacity() * sizeof(Node) + slots_.capacity() * sizeof(Slot) +
           row_.capacity() * sizeof(std::uint32_t);
}

template void ContextCounts::learn(std::span<const std::uint16_t>);
template void ContextCounts::learn(std::span<const std::uint32_t>);
template void ContextCounts::score(std::span<const std::uint16_t>, std::span<const double>,
                                   std::span<const double>, std::span<const Discount>, unsigned,
                                   bool, const Scores&);
template void ContextCounts::score(std::span<const std::uint32_t>, std::span<const double>,
                                   std::span<const double>, std::span<const Discount>, unsigned,
                                   bool, const Scores&);

}  // namespace spike
