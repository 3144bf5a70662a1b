#include "pair_merger.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "parallel.hpp"

namespace spike {
namespace {

// To save memory pairs are counted in several passes over the sequence, each for a partition of the
// keys; the more ids, the more pairs there may be.
constexpr std::size_t MIN_PASSES = 2, MAX_PASSES = 8, IDS_PER_PASS = 512;
// Pairs that are queued after a pass, at most.
constexpr std::size_t MAX_QUEUED = 1 << 16;
constexpr std::size_t MIN_POSITIONS = 1 << 16;
constexpr std::uint64_t MAX_WEIGHT = std::numeric_limits<std::int64_t>::max();

using Rank = PairQueue::Rank;

// Keeps the MAX_QUEUED best, in order, and one more where there are more.
void keep_top(std::vector<Rank>& ranks) {
    const std::size_t kept = std::min(MAX_QUEUED + 1, ranks.size());
    const auto better = [](const Rank& a, const Rank& b) { return b < a; };
    std::ranges::partial_sort(ranks, ranks.begin() + static_cast<std::ptrdiff_t>(kept), better);
    ranks.resize(kept);
}

// The lengths by id of the sequence, in which id 0 is the boundary.
std::vector<std::uint64_t> with_boundary(std::span<const std::uint32_t> lengths) {
    std::vector<std::uint64_t> all{0};
    all.insert(all.end(), lengths.begin(), lengths.end());
    return all;
}

}  // namespace

template <class Id>
void PairMerger<Id>::Tally::add(Id id, std::uint64_t more) {
    numbers[id] += more;
    if (present[id]) return;
    present[id] = true;
    ids.push_back(id);
}

template <class Id>
void PairMerger<Id>::Tally::clear(std::size_t size) {
    for (const Id id : ids) {
        numbers[id] = 0;
        present[id] = false;
    }
    ids.clear();
    numbers.resize(size);
    present.resize(size);
}

template <class Id>
template <class In>
PairMerger<Id>::PairMerger(const Slices<In>& documents, std::span<const std::int64_t> weights,
                           std::span<const std::uint32_t> lengths, const MergeOptions& options)
    : sequence_(documents, lengths.size()),
      queue_(with_boundary(lengths), options.by_length, options.max_token_bytes),
      options_(options) {
    if (!weights.empty() && weights.size() != documents.size()) {
        throw std::invalid_argument("there must be a weight for each document");
    }
    weight_ = weights.empty() ? sequence_.size() : 1;
    std::size_t position = 1;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] < 1) throw std::invalid_argument("a weight must be 1 or more");
        const auto weight = static_cast<std::uint64_t>(weights[i]);
        if (weight != weights_.back().second)
            weights_.push_back({static_cast<Position>(position), weight});
        position += documents[i].size() + 1;
        // Counts are sums of weights, and must not overflow.
        if (documents[i].size() > (MAX_WEIGHT - weight_) / weight) {
            throw std::invalid_argument("the weights are too large");
        }
        weight_ += weight * documents[i].size();
    }
    if (options_.first_seen) options_.max_positions = std::numeric_limits<std::size_t>::max() / 2;
    if (options_.max_positions == 0)
        options_.max_positions = std::max(sequence_.size() / 8, MIN_POSITIONS);
}

template <class Id>
std::uint64_t PairMerger<Id>::weight_at(Position position) const {
    if (weights_.size() == 1) return 1;
    const auto first_position = [](const auto& run) { return run.first; };
    return std::prev(std::ranges::upper_bound(weights_, position, {}, first_position))->second;
}

template <class Id>
std::optional<Pair> PairMerger<Id>::best() {
    begin_update();
    const QueuedPair* pair = find_top();
    if (pair == nullptr && !queue_.complete()) {
        fill_queue();
        pair = find_top();
    }
    is_consistent_ = true;
    best_is_known_ = pair != nullptr;
    if (pair == nullptr) return std::nullopt;
    return Pair{left_of(pair->key) - 1, right_of(pair->key) - 1, pair->count};
}

template <class Id>
const QueuedPair* PairMerger<Id>::find_top() {
    if (!options_.first_seen) return queue_.top();
    return queue_.top([&](const QueuedPair& pair) { return first_position(pair); });
}

// The first held position where the pair still is. Its count is at least 2, so there is one.
template <class Id>
Position PairMerger<Id>::first_position(const QueuedPair& pair) const {
    return *std::ranges::find_if(
        pair.positions, [&](Position position) { return sequence_.has_pair(position, pair.key); });
}

template <class Id>
void PairMerger<Id>::begin_update() {
    if (!is_consistent_) throw std::invalid_argument("an earlier call failed: begin again");
    is_consistent_ = false;
}

template <class Id>
QueuedPair PairMerger<Id>::pop() {
    if (!best_is_known_) throw std::invalid_argument("there is no best pair: ask for it first");
    begin_update();
    best_is_known_ = false;
    return queue_.pop();
}

template <class Id>
void PairMerger<Id>::exclude() {
    queue_.exclude(pop().key);
    is_consistent_ = true;
}

template <class Id>
std::uint32_t PairMerger<Id>::merge() {
    QueuedPair pair = pop();
    const auto left = static_cast<Id>(left_of(pair.key)),
               right = static_cast<Id>(right_of(pair.key));
    const Id merged = sequence_.add_id(left, right);
    queue_.add_id(queue_.length(left) + queue_.length(right));
    for (Tally* tally : {&lost_left_, &lost_right_, &gained_left_, &gained_right_}) {
        tally->clear(std::size_t{merged} + 1);
    }
    replace(left, right, merged, pair.positions);
    for (const Id id : lost_left_.ids)
        queue_.decrease_count(pair_key(id, left), lost_left_.numbers[id]);
    for (const Id id : lost_right_.ids)
        queue_.decrease_count(pair_key(right, id), lost_right_.numbers[id]);
    for (const Id id : gained_left_.ids)
        queue_.offer(pair_key(id, merged), gained_left_.numbers[id]);
    for (const Id id : gained_right_.ids)
        queue_.offer(pair_key(merged, id), gained_right_.numbers[id]);
    add_neighbour_positions(pair.positions, merged);
    if (queue_.positions() > 2 * options_.max_positions) queue_.clear();
    is_consistent_ = true;
    return merged - std::uint32_t{1};
}

// Merges the pair wherever it still is and keeps these positions; tallies the changes of counts.
template <class Id>
void PairMerger<Id>::replace(Id left, Id right, Id merged, std::vector<Position>& positions) {
    std::size_t kept = 0, run = 0;
    for (const Position position : positions) {
        if (!sequence_.has_pair(position, pair_key(left, right))) continue;
        const Position second = sequence_.next(position);
        const Id preceding = sequence_.id(sequence_.previous(position)),
                 following = sequence_.id(sequence_.next(second));
        const std::uint64_t weight = weight_at(position);
        run = preceding == merged ? run + 1 : 1;
        if (preceding == merged) {
            // The preceding token was merged just now, and (new, left) was counted for it: undo
            // that. Of a run of new tokens each second one completes a pair.
            gained_right_.add(left, -weight);
            if (run % 2 == 0) gained_right_.add(merged, weight);
        } else if (preceding != sequence_.BOUNDARY) {
            if (preceding != left || sequence_.run_ending_at(position) % 2 == 0)
                lost_left_.add(preceding, weight);
            gained_left_.add(preceding, weight);
        }
        if (following != sequence_.BOUNDARY) {
            const bool is_run = following == right;
            if (!is_run || (left != right && sequence_.run_starting_at(second) % 2 == 0)) {
                lost_right_.add(following, weight);
            }
            gained_right_.add(following, weight);
        }
        sequence_.merge_at(position, merged);
        positions[kept++] = position;
    }
    positions.resize(kept);
}

// Adds the positions of the pairs that contain the new id.
template <class Id>
void PairMerger<Id>::add_neighbour_positions(const std::vector<Position>& positions, Id merged) {
    for (const Position position : positions) {
        const Position before = sequence_.previous(position);
        const Id left = sequence_.id(before), right = sequence_.id(sequence_.next(position));
        // Two new tokens side by side are one pair, added at the left one.
        if (left != merged && left != sequence_.BOUNDARY)
            queue_.add_position(pair_key(left, merged), before);
        if (right != sequence_.BOUNDARY) queue_.add_position(pair_key(merged, right), position);
    }
}

// Counts the pairs of one partition and returns the best; see keep_top.
template <class Id>
std::vector<Rank> PairMerger<Id>::top_of_partition(std::size_t part, std::size_t parts) const {
    PairTable counts;
    sequence_.for_each_pair([&](Position position, std::uint64_t key, bool is_counted) {
        if (is_counted && partition_of(key) % parts == part) counts.add(key, weight_at(position));
    });
    std::vector<Rank> ranks;
    counts.for_each(
        [&](std::uint64_t key, std::uint64_t count) { queue_.rank(key, count, ranks); });
    if (!options_.first_seen) keep_top(ranks);
    return ranks;
}

// Counts all pairs of the sequence, queues the best and adds their positions.
template <class Id>
void PairMerger<Id>::fill_queue() {
    queue_.clear();
    const std::size_t passes = std::clamp(sequence_.ids() / IDS_PER_PASS, MIN_PASSES, MAX_PASSES);
    std::vector<std::vector<Rank>> found(passes);
    for_each_task(passes, options_.threads,
                  [&](std::size_t pass) { found[pass] = top_of_partition(pass, passes); });
    std::vector<Rank> ranks;
    for (const auto& part : found) ranks.insert(ranks.end(), part.begin(), part.end());
    if (!options_.first_seen) keep_top(ranks);
    const bool complete = options_.first_seen || ranks.size() <= MAX_QUEUED;
    if (!complete) ranks.pop_back();
    const std::uint64_t mean = std::max<std::uint64_t>(weight_ / sequence_.size(), 1);
    queue_.fill(ranks, options_.first_seen ? options_.max_positions : options_.max_positions * mean,
                complete);
    sequence_.for_each_pair(
        [&](Position position, std::uint64_t key, bool) { queue_.add_position(key, position); });
}

template class PairMerger<std::uint16_t>;
template class PairMerger<std::uint32_t>;
template PairMerger<std::uint16_t>::PairMerger(const Slices<std::uint8_t>&,
                                               std::span<const std::int64_t>,
                                               std::span<const std::uint32_t>, const MergeOptions&);
template PairMerger<std::uint32_t>::PairMerger(const Slices<std::uint8_t>&,
                                               std::span<const std::int64_t>,
                                               std::span<const std::uint32_t>, const MergeOptions&);

}  // namespace spike
