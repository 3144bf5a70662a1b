// Python bindings (nanobind) of n-gram counts and context mixing. Arguments are checked here or by
// the callee.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

#include "logit_calibration.hpp"
#include "match_model.hpp"
#include "mixer.hpp"
#include "ngram_counts.hpp"

namespace nb = nanobind;

namespace {

using namespace spike;

template <class Item>
using Row = nb::ndarray<const Item, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Logits = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Ids = nb::ndarray<const std::uint32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Expected = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class Item>
std::span<const Item> view(const Row<Item>& array) {
    return {array.data(), array.size()};
}

// Memory that a NumPy array takes over_other_base.
template <class Item>
class Result {
  public:
    explicit Result(std::size_t size) : size_(size), items_(new Item[size]()) {}
    std::span<Item> span() { return {items_.get(), size_}; }
    auto to_numpy() { return to_numpy_as<nb::ndim<1>>({size_}); }
    auto to_numpy(std::size_t columns) {
        return to_numpy_as<nb::ndim<2>>({size_ / columns, columns});
    }

  private:
    template <class Dimensions>
    auto to_numpy_as(std::initializer_list<std::size_t> shape) {
        Item* const items = items_.get();
        nb::capsule owner(items, [](void* p) noexcept { delete[] static_cast<Item*>(p); });
        static_cast<void>(items_.release());
        return nb::ndarray<nb::numpy, Item, Dimensions>(items, shape, owner);
    }

    std::size_t size_;
    std::unique_ptr<Item[]> items_;
};

template <class Item>
auto to_numpy(std::span<const Item> items) {
    Result<Item> result(items.size());
    std::copy(items.begin(), items.end(), result.span().begin());
    return result.to_numpy();
}

std::vector<Discount> discounts_of(const Matrix& rows) {
    if (rows.shape(1) != 4) throw std::invalid_argument("a discount has four numbers");
    std::vector<Discount> found;
    for (const double* at = rows.data(); found.size() < rows.shape(0); at += 4) {
        found.push_back({at[0], at[1], at[2], at[3]});
    }
    return found;
}

template <class Id>
nb::tuple score(NgramCounts& counts, const Row<Id>& ids, const Row<double>& base,
                const Row<double>& other_base, const Matrix& discounts, unsigned min_context,
                bool learn) {
    const std::size_t columns = counts.max_context() + 1;
    const auto by_length = discounts_of(discounts);
    Result<double> p(ids.size() * columns), over_other_base(other_base.size());
    Result<std::uint32_t> lengths(ids.size()), totals(ids.size()), distinct(ids.size());
    {
        nb::gil_scoped_release free;
        counts.score<Id>(
            view(ids), view(base), view(other_base), by_length, min_context, learn,
            {p.span(), over_other_base.span(), lengths.span(), totals.span(), distinct.span()});
    }
    return nb::make_tuple(p.to_numpy(columns), over_other_base.to_numpy(), lengths.to_numpy(),
                          totals.to_numpy(), distinct.to_numpy());
}

template <class Id>
void learn(NgramCounts& counts, const Row<Id>& ids) {
    nb::gil_scoped_release free;
    counts.learn<Id>(view(ids));
}

auto distribution(const NgramCounts& counts, const Row<double>& base, const Matrix& discounts,
                  unsigned min_context) {
    if (base.size() != counts.vocab_size())
        throw std::invalid_argument("there must be one number for each id");
    const auto by_length = discounts_of(discounts);
    Result<double> p(base.size() * (counts.max_context() + 1));
    {
        nb::gil_scoped_release free;
        std::copy_n(base.data(), base.size(), p.span().begin());
        counts.distribution(p.span(), by_length, min_context);
    }
    return p.to_numpy(base.size());
}

nb::tuple longest_context(const NgramCounts& counts) {
    std::uint32_t length, total, distinct;
    counts.longest_context(length, total, distinct);
    return nb::make_tuple(length, total, distinct);
}

void load(NgramCounts& counts, const Row<std::uint32_t>& parents, const Row<std::uint32_t>& tokens,
          const Row<std::uint32_t>& numbers, const Row<std::uint32_t>& totals) {
    nb::gil_scoped_release free;
    counts.load({view(parents), view(tokens), view(numbers), view(totals)});
}

nb::tuple pruned(const NgramCounts& counts, std::uint32_t min_count, unsigned max_context) {
    const auto kept = [&] {
        nb::gil_scoped_release free;
        return counts.pruned(min_count, max_context);
    }();
    const auto all_to_numpy = [](const std::vector<std::uint32_t>& items) {
        return to_numpy(std::span<const std::uint32_t>(items));
    };
    return nb::make_tuple(all_to_numpy(kept.parents), all_to_numpy(kept.tokens),
                          all_to_numpy(kept.counts), all_to_numpy(kept.totals));
}

template <class Id>
nb::tuple predict(MatchModel& model, const Row<Id>& ids, bool learn) {
    Result<std::uint32_t> tokens(ids.size()), length_indexes(ids.size());
    Result<double> confidences(ids.size());
    {
        nb::gil_scoped_release free;
        model.predict<Id>(view(ids), learn, tokens.span(), length_indexes.span(),
                          confidences.span());
    }
    return nb::make_tuple(tokens.to_numpy(), length_indexes.to_numpy(), confidences.to_numpy());
}

nb::tuple predict_next(const MatchModel& model) {
    const MatchModel::Match match = model.predict_next();
    return nb::make_tuple(match.token, match.length_index, match.confidence);
}

auto mix(Mixer& mixer, const Matrix& p, const Row<std::uint32_t>& weight_sets, bool learn) {
    if (p.shape(1) != mixer.experts())
        throw std::invalid_argument("there must be a probability for each expert");
    Result<double> mixed(weight_sets.size());
    {
        nb::gil_scoped_release free;
        mixer.score({p.data(), p.size()}, view(weight_sets), learn, mixed.span());
    }
    return mixed.to_numpy();
}

nb::tuple calibrate(const Logits& logits, const Ids& target_ids, const Row<float>& bias_factors,
                    const Expected& expected_counts, bool use_temperature, double sharpening,
                    double min_temperature, double max_temperature, bool use_bias, bool use_avx2) {
    const std::size_t rows = logits.shape(0), columns = target_ids.shape(1);
    if (target_ids.shape(0) != rows)
        throw std::invalid_argument("there must be a row of ids for each row of logits");
    const std::size_t size = rows * columns;
    Result<double> plain(size), with_temperature(use_temperature ? size : 0),
        with_bias(use_bias ? size : 0), entropies(rows);
    {
        nb::gil_scoped_release free;
        calibrated_probabilities(
            {logits.data(), logits.size()}, {target_ids.data(), size}, rows, view(bias_factors),
            {use_temperature, sharpening, min_temperature, max_temperature, use_avx2},
            {plain.span(),
             with_temperature.span(),
             with_bias.span(),
             entropies.span(),
             {expected_counts.data(), expected_counts.size()}});
    }
    return nb::make_tuple(plain.to_numpy(columns), with_temperature.to_numpy(columns),
                          with_bias.to_numpy(columns), entropies.to_numpy());
}

}  // namespace

NB_MODULE(_counting, module) {
    using namespace nb::literals;
    module.def("calibrated_probabilities", &calibrate, "logits"_a, "target_ids"_a, "bias_factors"_a,
               "expected_counts"_a.noconvert(), nb::kw_only(), "use_temperature"_a, "sharpening"_a,
               "min_temperature"_a, "max_temperature"_a, "use_bias"_a, "use_avx2"_a = true);
    nb::class_<NgramCounts>(module, "NgramCounts")
        .def(nb::init<std::uint32_t, unsigned, bool>(), "vocab_size"_a, "max_context"_a,
             "continuation"_a)
        .def("load", &load, "parents"_a, "tokens"_a, "counts"_a, "totals"_a)
        .def("pruned", &pruned, "min_count"_a, "max_context"_a)
        .def("copy",
             [](const NgramCounts& counts) {
                 nb::gil_scoped_release free;
                 return NgramCounts(counts);
             })
        .def("reserve", &NgramCounts::reserve, "ngrams"_a)
        .def("restart", &NgramCounts::restart)
        .def("learn", &learn<std::uint16_t>, "ids"_a.noconvert())
        .def("learn", &learn<std::uint32_t>, "ids"_a.noconvert())
        .def("score", &score<std::uint16_t>, "ids"_a.noconvert(), "base"_a, "other_base"_a,
             "discounts"_a, nb::kw_only(), "min_context"_a, "learn"_a)
        .def("score", &score<std::uint32_t>, "ids"_a.noconvert(), "base"_a, "other_base"_a,
             "discounts"_a, nb::kw_only(), "min_context"_a, "learn"_a)
        .def("distribution", &distribution, "base"_a, "discounts"_a, "min_context"_a)
        .def("longest_context", &longest_context)
        .def("counts_of_counts",
             [](const NgramCounts& counts) { return to_numpy(counts.counts_of_counts()); })
        .def_prop_ro("ngrams", &NgramCounts::ngrams)
        .def_prop_ro("bytes", &NgramCounts::bytes);
    nb::class_<MatchModel>(module, "MatchModel")
        .def(
            "__init__",
            [](MatchModel* at, std::uint32_t vocab_size, const Row<std::uint32_t>& lengths) {
                new (at) MatchModel(vocab_size, view(lengths));
            },
            "vocab_size"_a, "lengths"_a)
        .def("restart", &MatchModel::restart)
        .def("predict", &predict<std::uint16_t>, "ids"_a.noconvert(), "learn"_a)
        .def("predict", &predict<std::uint32_t>, "ids"_a.noconvert(), "learn"_a)
        .def("predict_next", &predict_next)
        .def_prop_ro("bytes", &MatchModel::bytes);
    nb::class_<Mixer>(module, "Mixer")
        .def(
            "__init__",
            [](Mixer* at, std::size_t weight_sets, const Row<double>& initial_weights,
               double min_rate, double fixed_share) {
                new (at) Mixer(weight_sets, view(initial_weights), min_rate, fixed_share);
            },
            "weight_sets"_a, "initial_weights"_a, "min_rate"_a, "fixed_share"_a)
        .def("score", &mix, "p"_a, "weight_sets"_a, "learn"_a)
        .def(
            "weights",
            [](const Mixer& mixer, std::uint32_t weight_set) {
                return to_numpy(mixer.weights(weight_set));
            },
            "weight_set"_a);
}
