#include "ngram_counts.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace spike {

namespace {

constexpr std::size_t FIRST_SLOTS = 1024;
constexpr std::uint32_t END = UINT32_MAX;  // in the history: the sequence ends here

std::uint64_t hash_of(std::uint32_t parent, std::uint32_t token) {
    std::uint64_t key = (std::uint64_t{parent} << 32 | token) * 0x9E3779B97F4A7C15u;
    key ^= key >> 32;
    return key * 0xD6E8FEB86659FD93u;
}

std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

void check(std::span<const Discount> discounts, unsigned max_context) {
    if (discounts.size() != max_context + 1) throw std::invalid_argument("one discount per length");
    for (const Discount& d : discounts) {
        const bool fits = d.d1 >= 0 && d.d1 <= 1 && d.d2 >= 0 && d.d2 <= 2 && d.d3 >= 0 &&
                          d.d3 <= 3 && d.strength >= 0 && d.strength <= 1e9;
        if (!fits) throw std::invalid_argument("a discount is out of range");
    }
}

double discounted(std::uint32_t count, const Discount& d) {
    return count - (count > 2 ? d.d3 : count == 2 ? d.d2 : d.d1);
}

}  // namespace

NgramCounts::NgramCounts(std::uint32_t vocab_size, unsigned max_context, bool continuation)
    : vocab_size_(vocab_size), max_context_(max_context), continuation_(continuation) {
    if (vocab_size == 0 || vocab_size > INT32_MAX)
        throw std::invalid_argument("no such vocabulary");
    if (max_context > MAX_CONTEXT) throw std::invalid_argument("contexts are too long");
    slots_.resize(FIRST_SLOTS);
    counts_of_counts_.resize(4 * (max_context + 1));
    contexts_.resize(max_context + 1, NONE);
    extended_.resize(max_context + 1, NONE);
    nodes_.push_back({NONE, NONE, 0});
    restart();
}

void NgramCounts::restart() {
    if (!history_.empty() && history_.back() != END) history_.push_back(END);
    std::ranges::fill(contexts_, NONE);
    contexts_[0] = 0;
    depth_ = 0;
    has_unlearned_ = false;
}

void NgramCounts::check_id(std::uint64_t id) const {
    if (id >= vocab_size_) throw std::invalid_argument("an id is not in the vocabulary");
}

std::uint32_t NgramCounts::find(std::uint32_t parent, std::uint32_t token) const {
    const std::uint64_t hash = hash_of(parent, token);
    for (std::size_t i = hash;; ++i) {
        const Slot& slot = slots_[i & (slots_.size() - 1)];
        if (slot.node == 0) return NONE;
        if (slot.tag != tag_of(hash)) continue;
        const Node& node = nodes_[slot.node];
        if (node.parent == parent && node.token == token) return slot.node;
    }
}

void NgramCounts::insert(std::uint32_t node) {
    const std::uint64_t hash = hash_of(nodes_[node].parent, nodes_[node].token);
    std::size_t i = hash & (slots_.size() - 1);
    while (slots_[i].node != 0) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = {tag_of(hash), node};
}

void NgramCounts::reserve(std::size_t ngrams) {
    if (ngrams > MAX_NGRAMS) throw std::length_error("there are too many ngrams");
    std::size_t slots = slots_.size();
    while ((ngrams + 1) * 3 > slots * 2) slots *= 2;
    if (slots > slots_.size()) rehash(slots);
}

void NgramCounts::make_room(std::size_t ngrams) {
    const std::size_t size = nodes_.size() + ngrams;
    if (size > MAX_NGRAMS) throw std::length_error("there are too many ngrams");
    if (size > nodes_.capacity())
        nodes_.reserve(std::max(size, nodes_.size() + nodes_.size() / 4 + 1024));
    if (size * 3 > slots_.size() * 2) rehash(2 * slots_.size());
}

void NgramCounts::rehash(std::size_t slots) {
    slots_ = std::vector<Slot>(slots);
    for (std::uint32_t node = 1; node < nodes_.size(); ++node) insert(node);
}

std::uint32_t NgramCounts::add(std::uint32_t parent, std::uint32_t token, std::uint32_t count,
                               std::uint32_t position) {
    const auto id = static_cast<std::uint32_t>(nodes_.size());
    Node& parent_node = nodes_[parent];
    // A node with children has no position of a follower.
    const std::uint32_t next_sibling = parent_node.total == 0 ? NONE : parent_node.first;
    parent_node.first = id;
    parent_node.total += count;
    ++(count > 2 ? parent_node.more : count == 2 ? parent_node.twos : parent_node.ones);
    Node node{parent, token, count};
    node.first = position;
    node.next_sibling = next_sibling;
    nodes_.push_back(node);
    insert(id);
    return id;
}

void NgramCounts::increment(std::uint32_t id, unsigned length) {
    Node& node = nodes_[id];
    Node& parent_node = nodes_[node.parent];
    if (node.count == 1) --parent_node.ones, ++parent_node.twos;
    if (node.count == 2) --parent_node.twos, ++parent_node.more;
    if (node.count <= 4) --counts_of_counts_[4 * length + node.count - 1];
    if (++node.count <= 4) ++counts_of_counts_[4 * length + node.count - 1];
    ++parent_node.total;
}

// Stores the follower of a context that occurs for the second time.
void NgramCounts::expand(std::uint32_t id) {
    const std::uint32_t position = nodes_[id].first;
    if (nodes_[id].total != 0 || position == NONE || position >= history_.size()) return;
    nodes_[id].first = NONE;
    if (history_[position] != END) add(id, history_[position], 1, position + 1);
}

void NgramCounts::find_ngrams(std::uint32_t token) {
    for (unsigned k = 0; k <= depth_; ++k) {
        if (contexts_[k] == NONE) continue;
        __builtin_prefetch(&slots_[hash_of(contexts_[k], token) & (slots_.size() - 1)]);
    }
    for (unsigned k = 0; k <= depth_; ++k) {
        if (contexts_[k] == NONE) continue;
        const Slot& slot = slots_[hash_of(contexts_[k], token) & (slots_.size() - 1)];
        __builtin_prefetch(&nodes_[slot.node], 1);
    }
    for (unsigned k = 0; k <= depth_; ++k) {
        extended_[k] = contexts_[k] == NONE ? NONE : find(contexts_[k], token);
    }
}

void NgramCounts::count(std::uint32_t token) {
    history_.push_back(token);
    const auto position = static_cast<std::uint32_t>(history_.size());
    unsigned known = 0;  // the longest context after which the token occurred before
    for (unsigned k = 0; k <= depth_; ++k) {
        if (extended_[k] != NONE) known = k;
    }
    for (unsigned k = 0; k <= depth_; ++k) {
        if (contexts_[k] == NONE || (continuation_ && k < known)) continue;
        if (extended_[k] != NONE) {
            increment(extended_[k], k);
        } else {
            add(contexts_[k], token, 1, k < max_context_ ? position : NONE);
            ++counts_of_counts_[4 * k];
        }
    }
    // Longer n-grams occur for the first time; their contexts are not stored yet.
    const auto before = position - 1;
    for (unsigned k = depth_ + 1; k <= max_context_ && k <= before && history_[before - k] != END;
         ++k) {
        ++counts_of_counts_[4 * k];
    }
}

void NgramCounts::advance() {
    const unsigned last = std::min(depth_ + 1, max_context_);
    for (unsigned k = last; k > 0; --k) {
        contexts_[k] = extended_[k - 1];
        if (contexts_[k] == NONE) continue;
        const std::uint32_t position = nodes_[contexts_[k]].first;
        if (position < history_.size()) __builtin_prefetch(&history_[position]);
    }
    depth_ = 0;
    for (unsigned k = 1; k <= last; ++k) {
        if (contexts_[k] == NONE) continue;
        expand(contexts_[k]);
        depth_ = k;
    }
    for (unsigned k = depth_ + 1; k <= last; ++k) contexts_[k] = NONE;
}

void NgramCounts::prepare_to_learn(std::size_t more) {
    if (has_unlearned_) restart();
    if (more > INT32_MAX - std::min<std::size_t>(history_.size(), INT32_MAX)) {
        throw std::length_error("there are too many tokens");
    }
    if (history_.capacity() < history_.size() + more)
        history_.reserve(std::max(history_.size() + more, history_.size() * 5 / 4));
}

template <class Id>
void NgramCounts::learn(std::span<const Id> ids) {
    for (const Id id : ids) check_id(id);
    prepare_to_learn(ids.size());
    for (const Id id : ids) {
        make_room(2 * contexts_.size());
        find_ngrams(id);
        count(id);
        advance();
    }
}

template <class Id>
void NgramCounts::score(std::span<const Id> ids, std::span<const double> base,
                        std::span<const double> other_base, std::span<const Discount> discounts,
                        unsigned min_context, bool learn, const Scores& out) {
    check(discounts, max_context_);
    const std::size_t size = ids.size();
    if (base.size() != size || out.p.size() != size * (max_context_ + 1) ||
        out.lengths.size() != size || out.totals.size() != size || out.distinct.size() != size ||
        out.over_other_base.size() != other_base.size() ||
        (!other_base.empty() && other_base.size() != size)) {
        throw std::invalid_argument("there must be one base probability for each id");
    }
    for (const Id id : ids) check_id(id);
    if (learn) prepare_to_learn(size);
    for (std::size_t i = 0; i < size; ++i) {
        make_room(2 * contexts_.size());
        find_ngrams(ids[i]);
        longest_context(out.lengths[i], out.totals[i], out.distinct[i]);
        double p = base[i], q = other_base.empty() ? 0 : other_base[i];
        for (unsigned k = 0; k <= max_context_; ++k) {
            if (k <= depth_ && contexts_[k] != NONE && nodes_[contexts_[k]].total != 0) {
                const Node& node = nodes_[contexts_[k]];
                const Discount& d = discounts[k];
                const double backoff = d.strength + node.pruned + d.d1 * node.ones +
                                       d.d2 * node.twos + d.d3 * node.more;
                const double follower =
                    extended_[k] == NONE ? 0 : discounted(nodes_[extended_[k]].count, d);
                const double denominator = node.total + d.strength;
                const double base_backoff = backoff * p, other_backoff = backoff * q;
                if (k >= min_context) p = (follower + base_backoff) / denominator;
                if (k > 0) q = (follower + other_backoff) / denominator;
            }
            out.p[i * (max_context_ + 1) + k] = p;
        }
        if (!other_base.empty()) out.over_other_base[i] = q;
        if (learn) count(ids[i]);
        advance();
    }
    has_unlearned_ = has_unlearned_ || (!learn && size != 0);
}

void NgramCounts::distribution(std::span<double> p, std::span<const Discount> discounts,
                               unsigned min_context) const {
    check(discounts, max_context_);
    const std::size_t size = vocab_size_;
    if (p.size() != size * (max_context_ + 1))
        throw std::invalid_argument("there must be one number for each id");
    for (unsigned k = 0; k <= max_context_; ++k) {
        const auto now = p.subspan(k * size, size);
        if (k > 0) std::ranges::copy(p.subspan((k - 1) * size, size), now.begin());
        if (k < min_context || k > depth_ || contexts_[k] == NONE ||
            nodes_[contexts_[k]].total == 0)
            continue;
        const Node& node = nodes_[contexts_[k]];
        const Discount& d = discounts[k];
        const double backoff =
            d.strength + node.pruned + d.d1 * node.ones + d.d2 * node.twos + d.d3 * node.more;
        for (double& item : now) item *= backoff;
        for (std::uint32_t child = node.first; child != NONE; child = nodes_[child].next_sibling) {
            now[nodes_[child].token] += discounted(nodes_[child].count, d);
        }
        const double denominator = node.total + d.strength;
        for (double& item : now) item /= denominator;
    }
}

void NgramCounts::longest_context(std::uint32_t& length, std::uint32_t& total,
                                  std::uint32_t& distinct) const {
    length = total = distinct = 0;
    for (unsigned k = depth_ + 1; k-- > 0;) {
        if (contexts_[k] == NONE || nodes_[contexts_[k]].total == 0) continue;
        length = k;
        total = nodes_[contexts_[k]].total;
        distinct = nodes_[contexts_[k]].distinct();
        return;
    }
}

template void NgramCounts::learn(std::span<const std::uint16_t>);
template void NgramCounts::learn(std::span<const std::uint32_t>);
template void NgramCounts::score(std::span<const std::uint16_t>, std::span<const double>,
                                 std::span<const double>, std::span<const Discount>, unsigned, bool,
                                 const Scores&);
template void NgramCounts::score(std::span<const std::uint32_t>, std::span<const double>,
                                 std::span<const double>, std::span<const Discount>, unsigned, bool,
                                 const Scores&);

}  // namespace spike
