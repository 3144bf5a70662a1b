// Python bindings (nanobind) of training. Arguments are checked here or by the callee.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "entry_trie.hpp"
#include "marginal_costs.hpp"
#include "pair_merger.hpp"
#include "pairs.hpp"
#include "python_arrays.hpp"
#include "segment_counter.hpp"
#include "texts.hpp"

namespace {

using namespace spike;

template <class Id>
nb::tuple count_pairs_as(const Input<Id>& ids, const Input<std::int64_t>& offsets,
                         std::size_t limit, unsigned threads) {
    const Slices<Id> documents(view(ids), view(offsets));
    const std::vector<Pair> pairs = [&] {
        nb::gil_scoped_release free;
        return spike::count_pairs(documents, limit, threads);
    }();
    Array<std::uint32_t> left(pairs.size()), right(pairs.size());
    Array<std::int64_t> counts(pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        left.items[i] = pairs[i].left;
        right.items[i] = pairs[i].right;
        counts.items[i] = static_cast<std::int64_t>(pairs[i].count);
    }
    return nb::make_tuple(to_numpy(std::move(left)), to_numpy(std::move(right)),
                          to_numpy(std::move(counts)));
}

// The trie of a vocabulary in training, with its marginal costs.
class TrieBinding {
  public:
    TrieBinding(const Input<std::uint8_t>& bytes, const Input<std::int64_t>& offsets)
        : trie_(Texts(view(bytes), view(offsets))) {}

    nb::tuple marginal_costs(std::size_t used, bool removals, const Input<std::uint8_t>& bytes,
                             const Input<std::int64_t>& offsets, unsigned threads) const {
        const Texts texts(view(bytes), view(offsets));
        const MarginalCosts found = [&] {
            nb::gil_scoped_release free;
            return spike::marginal_costs(trie_, used, removals, texts, threads);
        }();
        Array<std::int64_t> uses(found.uses.size()), token_delta(found.token_delta.size());
        std::ranges::copy(found.uses, uses.items.get());
        std::ranges::copy(found.token_delta, token_delta.items.get());
        return nb::make_tuple(to_numpy(std::move(uses)), to_numpy(std::move(token_delta)),
                              found.tokens);
    }

    std::int64_t fewest_tokens(const Input<std::uint8_t>& bytes, const Input<std::int64_t>& offsets,
                               unsigned threads) const {
        const Texts texts(view(bytes), view(offsets));
        nb::gil_scoped_release free;
        return spike::fewest_tokens(trie_, texts, threads);
    }

  private:
    EntryTrie trie_;
};

// Pair merger with ids of 16 or 32 bits, as their number requires.
class PairMergerBinding {
  public:
    PairMergerBinding(const Input<std::uint8_t>& ids, const Input<std::int64_t>& offsets,
                      const Input<std::int64_t>& weights, const Input<std::uint32_t>& lengths,
                      std::size_t merges, bool by_length, std::uint64_t max_token_bytes,
                      unsigned threads, std::size_t max_positions, bool first_seen)
        : merger_(make(Slices<std::uint8_t>(view(ids), view(offsets)), view(weights), view(lengths),
                       merges, {by_length, max_token_bytes, threads, max_positions, first_seen})) {}

    nb::object best() {
        const std::optional<Pair> pair = std::visit(
            [](auto& merger) {
                nb::gil_scoped_release free;
                return merger.best();
            },
            merger_);
        if (!pair) return nb::none();
        return nb::make_tuple(pair->left, pair->right, pair->count);
    }

    std::uint32_t merge() {
        nb::gil_scoped_release free;
        return std::visit([](auto& merger) { return merger.merge(); }, merger_);
    }

    void exclude() {
        std::visit([](auto& merger) { merger.exclude(); }, merger_);
    }

  private:
    using AnyPairMerger = std::variant<PairMerger<std::uint16_t>, PairMerger<std::uint32_t>>;

    static AnyPairMerger make(const Slices<std::uint8_t>& documents,
                              std::span<const std::int64_t> weights,
                              std::span<const std::uint32_t> lengths, std::size_t merges,
                              const MergeOptions& options) {
        nb::gil_scoped_release free;
        if (merges < 0xFFFF && lengths.size() < 0xFFFF - merges) {
            return PairMerger<std::uint16_t>(documents, weights, lengths, options);
        }
        return PairMerger<std::uint32_t>(documents, weights, lengths, options);
    }

    AnyPairMerger merger_;
};

// Counts of the segments of a corpus, for BESE.
class SegmentCounterBinding {
  public:
    explicit SegmentCounterBinding(std::size_t capacity) : counter_(capacity) {}

    void add(const Input<std::uint8_t>& bytes, const Input<std::int64_t>& offsets) {
        const Texts texts(view(bytes), view(offsets));
        nb::gil_scoped_release free;
        counter_.add(texts);
    }

    unsigned halvings() const { return counter_.halvings(); }

    nb::tuple take() {
        std::size_t total = 0;
        for (std::size_t i = 0; i < counter_.size(); ++i) total += counter_.segment(i).size();
        Array<std::uint8_t> ids(total);
        Array<std::int64_t> offsets(counter_.size() + 1), counts(counter_.size());
        std::uint8_t* place = ids.items.get();
        offsets.items[0] = 0;
        for (std::size_t i = 0; i < counter_.size(); ++i) {
            place = std::ranges::copy(counter_.segment(i), place).out;
            offsets.items[i + 1] = place - ids.items.get();
            counts.items[i] = static_cast<std::int64_t>(counter_.count(i));
        }
        counter_ = SegmentCounter(0);
        return nb::make_tuple(to_numpy(std::move(ids)), to_numpy(std::move(offsets)),
                              to_numpy(std::move(counts)));
    }

  private:
    SegmentCounter counter_;
};

}  // namespace

void spike::bind_training(nb::module_& module) {
    using namespace nb::literals;
    module.def("count_pairs", &count_pairs_as<std::uint16_t>, "ids"_a, "offsets"_a, "limit"_a,
               "threads"_a);
    module.def("count_pairs", &count_pairs_as<std::uint32_t>, "ids"_a, "offsets"_a, "limit"_a,
               "threads"_a);
    nb::class_<PairMergerBinding>(module, "PairMerger")
        .def(nb::init<const Input<std::uint8_t>&, const Input<std::int64_t>&,
                      const Input<std::int64_t>&, const Input<std::uint32_t>&, std::size_t, bool,
                      std::uint64_t, unsigned, std::size_t, bool>(),
             "ids"_a, "offsets"_a, "weights"_a, "lengths"_a, nb::kw_only(), "merges"_a,
             "by_length"_a, "max_token_bytes"_a, "threads"_a, "max_positions"_a = 0,
             "first_seen"_a = false)
        .def("best", &PairMergerBinding::best)
        .def("merge", &PairMergerBinding::merge)
        .def("exclude", &PairMergerBinding::exclude);
    nb::class_<TrieBinding>(module, "EntryTrie")
        .def(nb::init<const Input<std::uint8_t>&, const Input<std::int64_t>&>(), "entries"_a,
             "offsets"_a)
        .def("marginal_costs", &TrieBinding::marginal_costs, "used"_a, "removals"_a, "texts"_a,
             "offsets"_a, "threads"_a)
        .def("fewest_tokens", &TrieBinding::fewest_tokens, "texts"_a, "offsets"_a, "threads"_a);
    nb::class_<SegmentCounterBinding>(module, "SegmentCounter")
        .def(nb::init<std::size_t>(), "capacity"_a)
        .def("add", &SegmentCounterBinding::add, "texts"_a, "offsets"_a)
        .def_prop_ro("halvings", &SegmentCounterBinding::halvings)
        .def("take", &SegmentCounterBinding::take);
}
