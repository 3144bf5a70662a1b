#include "merges.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "parallel.hpp"

namespace spike {
namespace {

// To save memory pairs are counted in several goes over the row, each for a part of them; the more
// ids, the more pairs there may be.
constexpr std::size_t FEWEST_GOES = 2, MOST_GOES = 8, IDS_OF_A_GO = 512;
// So many pairs are looked for at most in a go.
constexpr std::size_t MOST_LISTED = 1 << 16;
constexpr std::size_t LEAST_PLACES = 1 << 16;
constexpr std::uint64_t MOST_WEIGHT = std::numeric_limits<std::int64_t>::max();

using Rank = PairBoard::Rank;

// Keeps the best, in order, and one more if there are more.
void keep_best(std::vector<Rank>& ranks) {
    const std::size_t kept = std::min(MOST_LISTED + 1, ranks.size());
    const auto better = [](const Rank& a, const Rank& b) { return b < a; };
    std::ranges::partial_sort(ranks, ranks.begin() + static_cast<std::ptrdiff_t>(kept), better);
    ranks.resize(kept);
}

// The lengths of the row's ids.
std::vector<std::uint64_t> with_border(std::span<const std::uint32_t> lengths) {
    std::vector<std::uint64_t> all{0};
    all.insert(all.end(), lengths.begin(), lengths.end());
    return all;
}

}  // namespace

template <class Id>
void Merges<Id>::Tally::add(Id id, std::uint64_t more) {
    numbers[id] += more;
    if (present[id]) return;
    present[id] = true;
    ids.push_back(id);
}

template <class Id>
void Merges<Id>::Tally::clear(std::size_t size) {
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
Merges<Id>::Merges(const Slices<In>& documents, std::span<const std::int64_t> weights,
                   std::span<const std::uint32_t> lengths, const MergeRules& rules)
    : row_(documents, lengths.size()),
      board_(with_border(lengths), rules.by_length, rules.most_bytes),
      rules_(rules) {
    if (!weights.empty() && weights.size() != documents.size()) {
        throw std::invalid_argument("there must be a weight for each document");
    }
    weight_ = weights.empty() ? row_.size() : 1;
    std::size_t place = 1;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] < 1) throw std::invalid_argument("a weight must be 1 or more");
        const auto weight = static_cast<std::uint64_t>(weights[i]);
        if (weight != weights_.back().second)
            weights_.push_back({static_cast<Place>(place), weight});
        place += documents[i].size() + 1;
        // Counts are sums of weights, and must not run over.
        if (documents[i].size() > (MOST_WEIGHT - weight_) / weight) {
            throw std::invalid_argument("the weights are too large");
        }
        weight_ += weight * documents[i].size();
    }
    if (rules_.first_seen) rules_.listed = std::numeric_limits<std::size_t>::max() / 2;
    if (rules_.listed == 0) rules_.listed = std::max(row_.size() / 8, LEAST_PLACES);
}

template <class Id>
std::uint64_t Merges<Id>::weight_at(Place place) const {
    if (weights_.size() == 1) return 1;
    const auto first_place = [](const auto& run) { return run.first; };
    return std::prev(std::ranges::upper_bound(weights_, place, {}, first_place))->second;
}

template <class Id>
std::optional<Pair> Merges<Id>::best() {
    begin_change();
    const ListedPair* pair = find_best();
    if (pair == nullptr && !board_.complete()) {
        fill_board();
        pair = find_best();
    }
    is_whole_ = true;
    best_is_known_ = pair != nullptr;
    if (pair == nullptr) return std::nullopt;
    return Pair{left_of(pair->key) - 1, right_of(pair->key) - 1, pair->count};
}

template <class Id>
const ListedPair* Merges<Id>::find_best() {
    if (!rules_.first_seen) return board_.best();
    return board_.best([&](const ListedPair& pair) { return first_place(pair); });
}

// The first noted place where the pair still is. Its count is at least 2, so there is one.
template <class Id>
Place Merges<Id>::first_place(const ListedPair& pair) const {
    return *std::ranges::find_if(pair.places,
                                 [&](Place place) { return row_.has_pair(place, pair.key); });
}

template <class Id>
void Merges<Id>::begin_change() {
    if (!is_whole_) throw std::invalid_argument("an earlier call failed: begin again");
    is_whole_ = false;
}

template <class Id>
ListedPair Merges<Id>::take_best() {
    if (!best_is_known_) throw std::invalid_argument("there is no best pair: ask for it first");
    begin_change();
    best_is_known_ = false;
    return board_.take_best();
}

template <class Id>
void Merges<Id>::refuse() {
    board_.refuse(take_best().key);
    is_whole_ = true;
}

template <class Id>
std::uint32_t Merges<Id>::merge() {
    ListedPair pair = take_best();
    const auto left = static_cast<Id>(left_of(pair.key)),
               right = static_cast<Id>(right_of(pair.key));
    const Id made = row_.add_id(left, right);
    board_.add_id(board_.length(left) + board_.length(right));
    for (Tally* tally : {&lost_left_, &lost_right_, &made_left_, &made_right_}) {
        tally->clear(std::size_t{made} + 1);
    }
    replace(left, right, made, pair.places);
    for (const Id id : lost_left_.ids) board_.lose(pair_key(id, left), lost_left_.numbers[id]);
    for (const Id id : lost_right_.ids) board_.lose(pair_key(right, id), lost_right_.numbers[id]);
    for (const Id id : made_left_.ids) board_.offer(pair_key(id, made), made_left_.numbers[id]);
    for (const Id id : made_right_.ids) board_.offer(pair_key(made, id), made_right_.numbers[id]);
    note_neighbours(pair.places, made);
    if (board_.size() > 2 * rules_.listed) board_.clear();
    is_whole_ = true;
    return made - std::uint32_t{1};
}

// Joins the pair at its places and leaves those where it still was; tallies what that changes.
// A run of n equal tokens holds n / 2 pairs that do not overlap, so losing one token at an end
// costs a pair where n was even.
template <class Id>
void Merges<Id>::replace(Id left, Id right, Id made, std::vector<Place>& places) {
    std::size_t joined = 0, run = 0;
    for (const Place place : places) {
        if (!row_.has_pair(place, pair_key(left, right))) continue;
        const Place second = row_.after(place);
        const Id before = row_.id(row_.before(place)), behind = row_.id(row_.after(second));
        const std::uint64_t weight = weight_at(place);
        run = before == made ? run + 1 : 1;
        if (before == made) {
            // The token before was made just now, and took this `left` for its neighbour.
            made_right_.add(left, -weight);
            if (run % 2 == 0) made_right_.add(made, weight);
        } else if (before != row_.BORDER) {
            if (before != left || row_.run_up_to(place) % 2 == 0) lost_left_.add(before, weight);
            made_left_.add(before, weight);
        }
        if (behind != row_.BORDER) {
            const bool is_run = behind == right;
            if (!is_run || (left != right && row_.run_from(second) % 2 == 0)) {
                lost_right_.add(behind, weight);
            }
            made_right_.add(behind, weight);
        }
        row_.join(place, made);
        places[joined++] = place;
    }
    places.resize(joined);
}

// Notes the places of the pairs that hold the new id.
template <class Id>
void Merges<Id>::note_neighbours(const std::vector<Place>& places, Id made) {
    for (const Place place : places) {
        const Place before = row_.before(place);
        const Id left = row_.id(before), right = row_.id(row_.after(place));
        // Two new tokens side by side are noted once, at the left one.
        if (left != made && left != row_.BORDER) board_.note(pair_key(left, made), before);
        if (right != row_.BORDER) board_.note(pair_key(made, right), place);
    }
}

// Counts the pairs of one part and returns the best of them, one too many if there are more.
template <class Id>
std::vector<Rank> Merges<Id>::best_of_part(std::size_t part, std::size_t parts) const {
    PairTable counts;
    row_.for_each_pair([&](Place place, std::uint64_t key, bool is_counted) {
        if (is_counted && part_of(key) % parts == part) counts.add(key, weight_at(place));
    });
    std::vector<Rank> ranks;
    counts.for_each(
        [&](std::uint64_t key, std::uint64_t count) { board_.rank(key, count, ranks); });
    if (!rules_.first_seen) keep_best(ranks);
    return ranks;
}

// Goes over the row, counts all pairs, lists the best and notes their places.
template <class Id>
void Merges<Id>::fill_board() {
    board_.clear();
    const std::size_t goes = std::clamp(row_.ids() / IDS_OF_A_GO, FEWEST_GOES, MOST_GOES);
    std::vector<std::vector<Rank>> found(goes);
    for_each_task(goes, rules_.threads,
                  [&](std::size_t go) { found[go] = best_of_part(go, goes); });
    std::vector<Rank> ranks;
    for (const auto& part : found) ranks.insert(ranks.end(), part.begin(), part.end());
    if (!rules_.first_seen) keep_best(ranks);
    const bool complete = rules_.first_seen || ranks.size() <= MOST_LISTED;
    if (!complete) ranks.pop_back();
    const std::uint64_t mean = std::max<std::uint64_t>(weight_ / row_.size(), 1);
    board_.fill(ranks, rules_.first_seen ? rules_.listed : rules_.listed * mean, complete);
    row_.for_each_pair([&](Place place, std::uint64_t key, bool) { board_.note(key, place); });
}

template class Merges<std::uint16_t>;
template class Merges<std::uint32_t>;
template Merges<std::uint16_t>::Merges(const Slices<std::uint8_t>&, std::span<const std::int64_t>,
                                       std::span<const std::uint32_t>, const MergeRules&);
template Merges<std::uint32_t>::Merges(const Slices<std::uint8_t>&, std::span<const std::int64_t>,
                                       std::span<const std::uint32_t>, const MergeRules&);

}  // namespace spike
