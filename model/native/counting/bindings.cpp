// What Python sees of counting and mixing. Inputs are checked here or by what is called.

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

#include "adjusting.hpp"
#include "context_counts.hpp"
#include "mixture.hpp"
#include "repeats.hpp"

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

// Memory that a NumPy array takes over.
template <class Item>
class Result {
  public:
    explicit Result(std::size_t size) : size_(size), items_(new Item[size]()) {}
    std::span<Item> span() { return {items_.get(), size_}; }
    auto give() { return give_as<nb::ndim<1>>({size_}); }
    auto give(std::size_t columns) { return give_as<nb::ndim<2>>({size_ / columns, columns}); }

  private:
    template <class Dimensions>
    auto give_as(std::initializer_list<std::size_t> shape) {
        Item* const items = items_.get();
        nb::capsule owner(items, [](void* p) noexcept { delete[] static_cast<Item*>(p); });
        static_cast<void>(items_.release());
        return nb::ndarray<nb::numpy, Item, Dimensions>(items, shape, owner);
    }

    std::size_t size_;
    std::unique_ptr<Item[]> items_;
};

template <class Item>
auto give(std::span<const Item> items) {
    Result<Item> result(items.size());
    std::copy(items.begin(), items.end(), result.span().begin());
    return result.give();
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
nb::tuple score(ContextCounts& counts, const Row<Id>& ids, const Row<double>& base,
                const Row<double>& other, const Matrix& discounts, unsigned shortest, bool learn) {
    const std::size_t columns = counts.longest() + 1;
    const auto given = discounts_of(discounts);
    Result<double> p(ids.size() * columns), over(other.size());
    Result<std::uint32_t> lengths(ids.size()), totals(ids.size()), kinds(ids.size());
    {
        nb::gil_scoped_release free;
        counts.score<Id>(view(ids), view(base), view(other), given, shortest, learn,
                         {p.span(), over.span(), lengths.span(), totals.span(), kinds.span()});
    }
    return nb::make_tuple(p.give(columns), over.give(), lengths.give(), totals.give(),
                          kinds.give());
}

template <class Id>
void learn(ContextCounts& counts, const Row<Id>& ids) {
    nb::gil_scoped_release free;
    counts.learn<Id>(view(ids));
}

auto distribution(const ContextCounts& counts, const Row<double>& base, const Matrix& discounts,
                  unsigned shortest) {
    if (base.size() != counts.vocab_size())
        throw std::invalid_argument("needed is a number for each id");
    const auto given = discounts_of(discounts);
    Result<double> p(base.size() * (counts.longest() + 1));
    {
        nb::gil_scoped_release free;
        std::copy_n(base.data(), base.size(), p.span().begin());
        counts.distribution(p.span(), given, shortest);
    }
    return p.give(base.size());
}

nb::tuple describe(const ContextCounts& counts) {
    std::uint32_t length, total, kinds;
    counts.describe(length, total, kinds);
    return nb::make_tuple(length, total, kinds);
}

void load(ContextCounts& counts, const Row<std::uint32_t>& parents,
          const Row<std::uint32_t>& tokens, const Row<std::uint32_t>& numbers,
          const Row<std::uint32_t>& totals) {
    nb::gil_scoped_release free;
    counts.load({view(parents), view(tokens), view(numbers), view(totals)});
}

nb::tuple keep(const ContextCounts& counts, std::uint32_t fewest, unsigned longest) {
    const auto kept = [&] {
        nb::gil_scoped_release free;
        return counts.keep(fewest, longest);
    }();
    const auto give_all = [](const std::vector<std::uint32_t>& items) {
        return give(std::span<const std::uint32_t>(items));
    };
    return nb::make_tuple(give_all(kept.parents), give_all(kept.tokens), give_all(kept.counts),
                          give_all(kept.totals));
}

template <class Id>
nb::tuple read(Repeats& repeats, const Row<Id>& ids, bool learn) {
    Result<std::uint32_t> tokens(ids.size()), kinds(ids.size());
    Result<double> trusts(ids.size());
    {
        nb::gil_scoped_release free;
        repeats.read<Id>(view(ids), learn, tokens.span(), kinds.span(), trusts.span());
    }
    return nb::make_tuple(tokens.give(), kinds.give(), trusts.give());
}

nb::tuple hint(const Repeats& repeats) {
    const Repeats::Hint hint = repeats.hint();
    return nb::make_tuple(hint.token, hint.kind, hint.trust);
}

auto mix(Mixture& mixture, const Matrix& p, const Row<std::uint32_t>& sets, bool learn) {
    if (p.shape(1) != mixture.experts())
        throw std::invalid_argument("needed is a probability for each expert");
    Result<double> mixed(sets.size());
    {
        nb::gil_scoped_release free;
        mixture.score({p.data(), p.size()}, view(sets), learn, mixed.span());
    }
    return mixed.give();
}

nb::tuple adjust_logits(const Logits& logits, const Ids& asked, const Row<float>& raises, bool heat,
                        double sharpening, double least, double most, bool calibrate,
                        const Expected& expected, bool wide) {
    const std::size_t rows = logits.shape(0), columns = asked.shape(1);
    if (asked.shape(0) != rows)
        throw std::invalid_argument("needed is a row of ids for each row of logits");
    const std::size_t size = rows * columns;
    Result<double> plain(size), heated(heat ? size : 0), raised(calibrate ? size : 0),
        entropies(rows);
    {
        nb::gil_scoped_release free;
        adjust({logits.data(), logits.size()}, {asked.data(), size}, rows, view(raises),
               {heat, sharpening, least, most, wide},
               {plain.span(),
                heated.span(),
                raised.span(),
                entropies.span(),
                {expected.data(), expected.size()}});
    }
    return nb::make_tuple(plain.give(columns), heated.give(columns), raised.give(columns),
                          entropies.give());
}

}  // namespace

NB_MODULE(_counting, module) {
    using namespace nb::literals;
    module.def("adjust", &adjust_logits, "logits"_a, "asked"_a, "raises"_a, "heat"_a,
               "sharpening"_a, "least"_a, "most"_a, "calibrate"_a, "expected"_a.noconvert(),
               "wide"_a = true);
    nb::class_<ContextCounts>(module, "ContextCounts")
        .def(nb::init<std::uint32_t, unsigned, bool>(), "vocab_size"_a, "longest"_a,
             "continuation"_a)
        .def("load", &load, "parents"_a, "tokens"_a, "counts"_a, "totals"_a)
        .def("keep", &keep, "fewest"_a, "longest"_a)
        .def("copy",
             [](const ContextCounts& counts) {
                 nb::gil_scoped_release free;
                 return ContextCounts(counts);
             })
        .def("reserve", &ContextCounts::reserve, "strings"_a)
        .def("restart", &ContextCounts::restart)
        .def("learn", &learn<std::uint16_t>, "ids"_a.noconvert())
        .def("learn", &learn<std::uint32_t>, "ids"_a.noconvert())
        .def("score", &score<std::uint16_t>, "ids"_a.noconvert(), "base"_a, "other"_a,
             "discounts"_a, "shortest"_a, "learn"_a)
        .def("score", &score<std::uint32_t>, "ids"_a.noconvert(), "base"_a, "other"_a,
             "discounts"_a, "shortest"_a, "learn"_a)
        .def("distribution", &distribution, "base"_a, "discounts"_a, "shortest"_a)
        .def("describe", &describe)
        .def("counts_of_counts",
             [](const ContextCounts& counts) { return give(counts.counts_of_counts()); })
        .def_prop_ro("strings", &ContextCounts::strings)
        .def_prop_ro("bytes", &ContextCounts::bytes);
    nb::class_<Repeats>(module, "Repeats")
        .def(
            "__init__",
            [](Repeats* at, std::uint32_t vocab_size, const Row<std::uint32_t>& lengths) {
                new (at) Repeats(vocab_size, view(lengths));
            },
            "vocab_size"_a, "lengths"_a)
        .def("restart", &Repeats::restart)
        .def("read", &read<std::uint16_t>, "ids"_a.noconvert(), "learn"_a)
        .def("read", &read<std::uint32_t>, "ids"_a.noconvert(), "learn"_a)
        .def("hint", &hint)
        .def_prop_ro("bytes", &Repeats::bytes);
    nb::class_<Mixture>(module, "Mixture")
        .def(
            "__init__",
            [](Mixture* at, std::size_t sets, const Row<double>& first, double slowest,
               double share) { new (at) Mixture(sets, view(first), slowest, share); },
            "sets"_a, "first"_a, "slowest"_a, "share"_a)
        .def("score", &mix, "p"_a, "sets"_a, "learn"_a)
        .def(
            "weights",
            [](const Mixture& mixture, std::uint32_t set) { return give(mixture.weights(set)); },
            "set"_a);
}
