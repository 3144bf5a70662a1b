#include "pair_board.hpp"

#include <algorithm>
#include <limits>

namespace spike {

PairBoard::PairBoard(std::vector<std::uint64_t> lengths, bool by_length, std::uint64_t most_bytes)
    : lengths_(std::move(lengths)), by_length_(by_length), most_bytes_(most_bytes) {}

std::uint64_t PairBoard::score(std::uint64_t key, std::uint64_t count) const {
    return by_length_ ? count * (lengths_[left_of(key)] + lengths_[right_of(key)]) : count;
}

void PairBoard::rank(std::uint64_t key, std::uint64_t count, std::vector<Rank>& ranks) const {
    if (count < 2 || lengths_[left_of(key)] + lengths_[right_of(key)] > most_bytes_) return;
    if (!refused_.contains(key)) ranks.push_back({score(key, count), key, count});
}

void PairBoard::fill(std::span<const Rank> ranks, std::uint64_t room, bool complete) {
    std::size_t listed = 0;
    for (std::uint64_t counts = 0; listed < ranks.size(); ++listed) {
        counts += ranks[listed].count;
        if (listed > 0 && counts > room) break;
    }
    complete_ = complete && listed == ranks.size();
    limit_ = {0, std::numeric_limits<std::uint64_t>::max(), 0};
    if (!complete_ && listed > 0) limit_ = ranks[listed - 1];
    for (std::size_t i = 0; i < listed; ++i) enter(ranks[i].key, ranks[i].count);
}

ListedPair PairBoard::take_best() {
    ListedPair& pair = pairs_[heap_.front().listed];
    ListedPair taken{pair.key, pair.count, std::move(pair.places)};
    size_ -= taken.places.size();
    drop_first();
    return taken;
}

// The first of the heap goes, and with it its places; its count 0 tells that it is not listed.
void PairBoard::drop_first() {
    ListedPair& pair = pairs_[heap_.front().listed];
    size_ -= pair.places.size();
    pair.places = {};
    pair.count = 0;
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
}

void PairBoard::enter(std::uint64_t key, std::uint64_t count) {
    heap_.push_back({score(key, count), key, 0, static_cast<std::uint32_t>(pairs_.size())});
    std::push_heap(heap_.begin(), heap_.end());
    pairs_.push_back({key, count, {}});
    index_.add(key, pairs_.size());
}

void PairBoard::offer(std::uint64_t key, std::uint64_t count) {
    std::vector<Rank> ranks;
    rank(key, count, ranks);
    if (!ranks.empty() && !(ranks.front() < limit_)) enter(key, count);
}

void PairBoard::lose(std::uint64_t key, std::uint64_t count) {
    const std::uint64_t index = index_.get(key);
    // What was taken or dropped has lost everything already.
    if (index != 0 && pairs_[index - 1].count != 0) pairs_[index - 1].count -= count;
}

void PairBoard::note(std::uint64_t key, Place place) {
    const std::uint64_t index = index_.get(key);
    if (index == 0 || pairs_[index - 1].count == 0) return;
    pairs_[index - 1].places.push_back(place);
    ++size_;
}

void PairBoard::clear() {
    pairs_ = {};
    index_ = {};
    heap_ = {};
    complete_ = false;
    size_ = 0;
}

}  // namespace spike
