#include "pair_queue.hpp"

#include <algorithm>
#include <limits>

namespace spike {

PairQueue::PairQueue(std::vector<std::uint64_t> lengths, bool by_length,
                     std::uint64_t max_token_bytes)
    : lengths_(std::move(lengths)), by_length_(by_length), max_token_bytes_(max_token_bytes) {}

std::uint64_t PairQueue::score(std::uint64_t key, std::uint64_t count) const {
    return by_length_ ? count * (lengths_[left_of(key)] + lengths_[right_of(key)]) : count;
}

void PairQueue::rank(std::uint64_t key, std::uint64_t count, std::vector<Rank>& ranks) const {
    if (count < 2 || lengths_[left_of(key)] + lengths_[right_of(key)] > max_token_bytes_) return;
    if (!excluded_.contains(key)) ranks.push_back({score(key, count), key, count});
}

void PairQueue::fill(std::span<const Rank> ranks, std::uint64_t max_positions, bool complete) {
    std::size_t queued = 0;
    for (std::uint64_t counts = 0; queued < ranks.size(); ++queued) {
        counts += ranks[queued].count;
        if (queued > 0 && counts > max_positions) break;
    }
    complete_ = complete && queued == ranks.size();
    limit_ = {0, std::numeric_limits<std::uint64_t>::max(), 0};
    if (!complete_ && queued > 0) limit_ = ranks[queued - 1];
    for (std::size_t i = 0; i < queued; ++i) push(ranks[i].key, ranks[i].count);
}

QueuedPair PairQueue::pop() {
    QueuedPair& pair = pairs_[heap_.front().index];
    QueuedPair taken{pair.key, pair.count, std::move(pair.positions)};
    positions_ -= taken.positions.size();
    drop_top();
    return taken;
}

// Removes the entry on top of the heap and its positions; the count 0 marks a pair as not queued.
void PairQueue::drop_top() {
    QueuedPair& pair = pairs_[heap_.front().index];
    positions_ -= pair.positions.size();
    pair.positions = {};
    pair.count = 0;
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
}

void PairQueue::push(std::uint64_t key, std::uint64_t count) {
    heap_.push_back({score(key, count), key, 0, static_cast<std::uint32_t>(pairs_.size())});
    std::push_heap(heap_.begin(), heap_.end());
    pairs_.push_back({key, count, {}});
    index_.add(key, pairs_.size());
}

void PairQueue::offer(std::uint64_t key, std::uint64_t count) {
    std::vector<Rank> ranks;
    rank(key, count, ranks);
    if (!ranks.empty() && !(ranks.front() < limit_)) push(key, count);
}

void PairQueue::decrease_count(std::uint64_t key, std::uint64_t count) {
    const std::uint64_t index = index_.get(key);
    // The count of a pair that was popped or dropped is 0 already.
    if (index != 0 && pairs_[index - 1].count != 0) pairs_[index - 1].count -= count;
}

void PairQueue::add_position(std::uint64_t key, Position position) {
    const std::uint64_t index = index_.get(key);
    if (index == 0 || pairs_[index - 1].count == 0) return;
    pairs_[index - 1].positions.push_back(position);
    ++positions_;
}

void PairQueue::clear() {
    pairs_ = {};
    index_ = {};
    heap_ = {};
    complete_ = false;
    positions_ = 0;
}

}  // namespace spike
