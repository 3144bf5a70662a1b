#include "pairs.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <tuple>

#include "pair_table.hpp"
#include "parallel.hpp"

namespace spike {
namespace {

// Pairs are first dealt out to parts so small that counting one stays in the processor's cache.
constexpr std::size_t PARTS = std::size_t{1} << PART_BITS;
constexpr std::size_t TASKS = 64;

template <class Id, class Take>
void for_each_pair(std::span<const Id> ids, Take take) {
    bool overlaps = false;
    for (std::size_t i = 1; i < ids.size(); ++i) {
        const bool equal = ids[i - 1] == ids[i];
        if (equal && overlaps) {
            overlaps = false;
            continue;
        }
        overlaps = equal;
        take(pair_key(ids[i - 1], ids[i]));
    }
}

// All pairs of all documents, those of one part side by side; the order inside a part means
// nothing.
class DealtPairs {
  public:
    template <class Id>
    DealtPairs(const Slices<Id>& documents, unsigned threads) {
        std::vector<std::array<std::size_t, PARTS>> place(TASKS);
        const auto each = [&](std::size_t task, auto take) {
            const std::size_t first = documents.size() * task / TASKS;
            const std::size_t last = documents.size() * (task + 1) / TASKS;
            for (std::size_t i = first; i < last; ++i) for_each_pair(documents[i], take);
        };
        for_each_task(TASKS, threads, [&](std::size_t task) {
            place[task].fill(0);
            each(task, [&](std::uint64_t key) { ++place[task][part_of(key)]; });
        });
        std::size_t total = 0;
        for (std::size_t part = 0; part < PARTS; ++part) {
            starts_[part] = total;
            for (auto& of_task : place) {
                const std::size_t count = of_task[part];
                of_task[part] = total;
                total += count;
            }
        }
        starts_[PARTS] = total;
        keys_ = std::make_unique_for_overwrite<std::uint64_t[]>(total);
        for_each_task(TASKS, threads, [&](std::size_t task) {
            each(task, [&](std::uint64_t key) { keys_[place[task][part_of(key)]++] = key; });
        });
    }

    std::span<const std::uint64_t> part(std::size_t i) const {
        return {keys_.get() + starts_[i], starts_[i + 1] - starts_[i]};
    }

  private:
    std::unique_ptr<std::uint64_t[]> keys_;
    std::array<std::size_t, PARTS + 1> starts_{};
};

// Keeps the `limit` best, in order.
void keep_best(std::vector<Pair>& pairs, std::size_t limit) {
    const auto better = [](const Pair& a, const Pair& b) {
        return std::tie(b.count, a.left, a.right) < std::tie(a.count, b.left, b.right);
    };
    const std::size_t kept = std::min(limit, pairs.size());
    std::ranges::partial_sort(pairs, pairs.begin() + static_cast<std::ptrdiff_t>(kept), better);
    pairs.resize(kept);
}

}  // namespace

template <class Id>
std::vector<Pair> count_pairs(const Slices<Id>& documents, std::size_t limit, unsigned threads) {
    const DealtPairs dealt(documents, threads);
    std::vector<std::vector<Pair>> found(PARTS);
    for_each_task(PARTS, threads, [&](std::size_t part) {
        PairTable counts;
        for (const std::uint64_t key : dealt.part(part)) counts.add(key, 1);
        counts.for_each([&](std::uint64_t key, std::uint64_t count) {
            if (count > 1) found[part].push_back({left_of(key), right_of(key), count});
        });
        keep_best(found[part], limit);
    });
    std::vector<Pair> pairs;
    for (const auto& part : found) pairs.insert(pairs.end(), part.begin(), part.end());
    keep_best(pairs, limit);
    return pairs;
}

template std::vector<Pair> count_pairs(const Slices<std::uint16_t>&, std::size_t, unsigned);
template std::vector<Pair> count_pairs(const Slices<std::uint32_t>&, std::size_t, unsigned);

}  // namespace spike
