#include "pairs.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <tuple>

#include "pair_table.hpp"
#include "parallel.hpp"

namespace spike {
namespace {

// Partitions are so small that counting one stays in the processor's cache.
constexpr std::size_t PARTITIONS = std::size_t{1} << PARTITION_BITS;
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

// All pairs of all documents, sorted by partition; inside a partition the order is arbitrary.
class PartitionedPairs {
  public:
    template <class Id>
    PartitionedPairs(const Slices<Id>& documents, unsigned threads) {
        std::vector<std::array<std::size_t, PARTITIONS>> offsets(TASKS);
        const auto each = [&](std::size_t task, auto take) {
            const std::size_t first = documents.size() * task / TASKS;
            const std::size_t last = documents.size() * (task + 1) / TASKS;
            for (std::size_t i = first; i < last; ++i) for_each_pair(documents[i], take);
        };
        for_each_task(TASKS, threads, [&](std::size_t task) {
            offsets[task].fill(0);
            each(task, [&](std::uint64_t key) { ++offsets[task][partition_of(key)]; });
        });
        std::size_t total = 0;
        for (std::size_t partition = 0; partition < PARTITIONS; ++partition) {
            starts_[partition] = total;
            for (auto& of_task : offsets) {
                const std::size_t count = of_task[partition];
                of_task[partition] = total;
                total += count;
            }
        }
        starts_[PARTITIONS] = total;
        keys_ = std::make_unique_for_overwrite<std::uint64_t[]>(total);
        for_each_task(TASKS, threads, [&](std::size_t task) {
            each(task, [&](std::uint64_t key) { keys_[offsets[task][partition_of(key)]++] = key; });
        });
    }

    std::span<const std::uint64_t> partition(std::size_t i) const {
        return {keys_.get() + starts_[i], starts_[i + 1] - starts_[i]};
    }

  private:
    std::unique_ptr<std::uint64_t[]> keys_;
    std::array<std::size_t, PARTITIONS + 1> starts_{};
};

// Keeps the `limit` most frequent, in order.
void keep_top(std::vector<Pair>& pairs, std::size_t limit) {
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
    const PartitionedPairs partitioned(documents, threads);
    std::vector<std::vector<Pair>> found(PARTITIONS);
    for_each_task(PARTITIONS, threads, [&](std::size_t partition) {
        PairTable counts;
        for (const std::uint64_t key : partitioned.partition(partition)) counts.add(key, 1);
        counts.for_each([&](std::uint64_t key, std::uint64_t count) {
            if (count > 1) found[partition].push_back({left_of(key), right_of(key), count});
        });
        keep_top(found[partition], limit);
    });
    std::vector<Pair> pairs;
    for (const auto& partition : found)
        pairs.insert(pairs.end(), partition.begin(), partition.end());
    keep_top(pairs, limit);
    return pairs;
}

template std::vector<Pair> count_pairs(const Slices<std::uint16_t>&, std::size_t, unsigned);
template std::vector<Pair> count_pairs(const Slices<std::uint32_t>&, std::size_t, unsigned);

}  // namespace spike
