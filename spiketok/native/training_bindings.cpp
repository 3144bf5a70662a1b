// What Python sees of training. Inputs are checked here or by what is called.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "entry_trie.hpp"
#include "merges.hpp"
#include "pairs.hpp"
#include "python_arrays.hpp"
#include "segment_counter.hpp"
#include "texts.hpp"
#include "trials.hpp"

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
    return nb::make_tuple(give(std::move(left)), give(std::move(right)), give(std::move(counts)));
}

// A vocabulary under trial, for the trainer.
class Trial {
  public:
    Trial(const Input<std::uint8_t>& bytes, const Input<std::int64_t>& offsets)
        : trie_(Texts(view(bytes), view(offsets))) {}

    nb::tuple try_changes(std::size_t used, bool removals, const Input<std::uint8_t>& bytes,
                          const Input<std::int64_t>& offsets, unsigned threads) const {
        const Texts texts(view(bytes), view(offsets));
        const Trials found = [&] {
            nb::gil_scoped_release free;
            return spike::try_changes(trie_, used, removals, texts, threads);
        }();
        Array<std::int64_t> uses(found.uses.size()), change(found.change.size());
        std::ranges::copy(found.uses, uses.items.get());
        std::ranges::copy(found.change, change.items.get());
        return nb::make_tuple(give(std::move(uses)), give(std::move(change)), found.tokens);
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

// Learning of merges, with ids as narrow as their number allows.
class MergeLearner {
  public:
    MergeLearner(const Input<std::uint8_t>& ids, const Input<std::int64_t>& offsets,
                 const Input<std::int64_t>& weights, const Input<std::uint32_t>& lengths,
                 std::size_t merges, bool by_length, std::uint64_t most_bytes, unsigned threads,
                 std::size_t listed, bool first_seen)
        : learner_(learn(Slices<std::uint8_t>(view(ids), view(offsets)), view(weights),
                         view(lengths), merges,
                         {by_length, most_bytes, threads, listed, first_seen})) {}

    nb::object best() {
        const std::optional<Pair> pair = std::visit(
            [](auto& learner) {
                nb::gil_scoped_release free;
                return learner.best();
            },
            learner_);
        if (!pair) return nb::none();
        return nb::make_tuple(pair->left, pair->right, pair->count);
    }

    std::uint32_t merge() {
        nb::gil_scoped_release free;
        return std::visit([](auto& learner) { return learner.merge(); }, learner_);
    }

    void refuse() {
        std::visit([](auto& learner) { learner.refuse(); }, learner_);
    }

  private:
    using Learner = std::variant<Merges<std::uint16_t>, Merges<std::uint32_t>>;

    static Learner learn(const Slices<std::uint8_t>& documents,
                         std::span<const std::int64_t> weights,
                         std::span<const std::uint32_t> lengths, std::size_t merges,
                         const MergeRules& rules) {
        nb::gil_scoped_release free;
        if (merges < 0xFFFF && lengths.size() < 0xFFFF - merges) {
            return Merges<std::uint16_t>(documents, weights, lengths, rules);
        }
        return Merges<std::uint32_t>(documents, weights, lengths, rules);
    }

    Learner learner_;
};

// The segments of a corpus, for BESE.
class Segments {
  public:
    explicit Segments(std::size_t room) : counter_(room) {}

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
        return nb::make_tuple(give(std::move(ids)), give(std::move(offsets)),
                              give(std::move(counts)));
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
    nb::class_<MergeLearner>(module, "MergeLearner")
        .def(nb::init<const Input<std::uint8_t>&, const Input<std::int64_t>&,
                      const Input<std::int64_t>&, const Input<std::uint32_t>&, std::size_t, bool,
                      std::uint64_t, unsigned, std::size_t, bool>(),
             "ids"_a, "offsets"_a, "weights"_a, "lengths"_a, "merges"_a, "by_length"_a,
             "most_bytes"_a, "threads"_a, "listed"_a = 0, "first_seen"_a = false)
        .def("best", &MergeLearner::best)
        .def("merge", &MergeLearner::merge)
        .def("refuse", &MergeLearner::refuse);
    nb::class_<Trial>(module, "Trial")
        .def(nb::init<const Input<std::uint8_t>&, const Input<std::int64_t>&>(), "entries"_a,
             "offsets"_a)
        .def("try_changes", &Trial::try_changes, "used"_a, "removals"_a, "texts"_a, "offsets"_a,
             "threads"_a)
        .def("fewest_tokens", &Trial::fewest_tokens, "texts"_a, "offsets"_a, "threads"_a);
    nb::class_<Segments>(module, "Segments")
        .def(nb::init<std::size_t>(), "room"_a)
        .def("add", &Segments::add, "texts"_a, "offsets"_a)
        .def_prop_ro("halvings", &Segments::halvings)
        .def("take", &Segments::take);
}
