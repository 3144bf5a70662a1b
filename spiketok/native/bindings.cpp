// Everything Python sees of the native code. Inputs are checked here or by what is called.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "decoder.hpp"
#include "entry_trie.hpp"
#include "matcher.hpp"
#include "merges.hpp"
#include "pairs.hpp"
#include "texts.hpp"
#include "trials.hpp"
#include "trie.hpp"

namespace nb = nanobind;

namespace {

using namespace spike;

template <class Item>
using Input = nb::ndarray<const Item, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class Item>
using Output = nb::ndarray<nb::numpy, Item, nb::ndim<1>>;

template <class Item>
std::span<const Item> view(const Input<Item>& array) {
    return {array.data(), array.size()};
}

// Hands the memory over to a NumPy array.
template <class Item>
Output<Item> give(Array<Item> array) {
    const std::size_t size = array.size;
    Item* const items = array.items.get();
    nb::capsule owner(items, [](void* p) noexcept { delete[] static_cast<Item*>(p); });
    static_cast<void>(array.items.release());
    return Output<Item>(items, {size}, owner);
}

class Matcher {
  public:
    Matcher(const Input<std::uint8_t>& bytes, const Input<std::int64_t>& offsets,
            const Input<std::uint32_t>& ids)
        : match_(build_trie(Texts(view(bytes), view(offsets)), view(ids))) {
        for (const std::uint32_t id : view(ids)) wide_ = wide_ || id > 0xFFFF;
    }

    nb::tuple encode(const Input<std::uint8_t>& bytes, const Input<std::int64_t>& offsets,
                     unsigned threads, bool wide, std::size_t slice_bytes) const {
        if (wide_ && !wide) throw std::invalid_argument("the ids do not fit 16 bits");
        const Texts texts(view(bytes), view(offsets));
        return wide ? encode_as<std::uint32_t>(texts, threads, slice_bytes)
                    : encode_as<std::uint16_t>(texts, threads, slice_bytes);
    }

  private:
    template <class Id>
    nb::tuple encode_as(const Texts& texts, unsigned threads, std::size_t slice_bytes) const {
        auto encoded = [&] {
            nb::gil_scoped_release free;
            return spike::encode<Id>(match_, texts, threads, slice_bytes);
        }();
        return nb::make_tuple(give(std::move(encoded.ids)), give(std::move(encoded.offsets)));
    }

    LongestMatch match_;
    bool wide_ = false;
};

class Decoder {
  public:
    Decoder(const Input<std::uint8_t>& bytes, const Input<std::int64_t>& offsets)
        : table_(Texts(view(bytes), view(offsets))) {}

    template <class Id>
    nb::bytes decode(const Input<Id>& ids) const {
        const auto size = [&] {
            nb::gil_scoped_release free;
            return table_.measure(view(ids));
        }();
        PyObject* const bytes = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size));
        if (bytes == nullptr) nb::raise_python_error();
        // Nobody else knows the new object: it may be filled without the lock.
        char* const out = PyBytes_AS_STRING(bytes);
        {
            nb::gil_scoped_release free;
            table_.decode(view(ids), std::span<char>(out, size));
        }
        return nb::steal<nb::bytes>(bytes);
    }

  private:
    DecodingTable table_;
};

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

    std::int64_t fewest_tokens(const Input<std::uint8_t>& bytes,
                               const Input<std::int64_t>& offsets, unsigned threads) const {
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
                 std::size_t listed)
        : learner_(learn(Slices<std::uint8_t>(view(ids), view(offsets)), view(weights),
                         view(lengths), merges, {by_length, most_bytes, threads, listed})) {}

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

    static Learner learn(const Slices<std::uint8_t>& documents, std::span<const std::int64_t> weights,
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

}  // namespace

NB_MODULE(_native, module) {
    using namespace nb::literals;
    nb::class_<Matcher>(module, "Matcher")
        .def(nb::init<const Input<std::uint8_t>&, const Input<std::int64_t>&,
                      const Input<std::uint32_t>&>(),
             "entries"_a, "offsets"_a, "ids"_a)
        .def("encode", &Matcher::encode, "texts"_a, "offsets"_a, "threads"_a, "wide"_a,
             "slice_bytes"_a = 0);
    nb::class_<Decoder>(module, "Decoder")
        .def(nb::init<const Input<std::uint8_t>&, const Input<std::int64_t>&>(), "entries"_a,
             "offsets"_a)
        .def("decode", &Decoder::decode<std::uint16_t>, "ids"_a)
        .def("decode", &Decoder::decode<std::uint32_t>, "ids"_a)
        .def("decode", &Decoder::decode<std::int64_t>, "ids"_a);
    module.def("count_pairs", &count_pairs_as<std::uint16_t>, "ids"_a, "offsets"_a, "limit"_a,
               "threads"_a);
    module.def("count_pairs", &count_pairs_as<std::uint32_t>, "ids"_a, "offsets"_a, "limit"_a,
               "threads"_a);
    nb::class_<MergeLearner>(module, "MergeLearner")
        .def(nb::init<const Input<std::uint8_t>&, const Input<std::int64_t>&,
                      const Input<std::int64_t>&, const Input<std::uint32_t>&, std::size_t, bool,
                      std::uint64_t, unsigned, std::size_t>(),
             "ids"_a, "offsets"_a, "weights"_a, "lengths"_a, "merges"_a, "by_length"_a,
             "most_bytes"_a, "threads"_a, "listed"_a = 0)
        .def("best", &MergeLearner::best)
        .def("merge", &MergeLearner::merge)
        .def("refuse", &MergeLearner::refuse);
    nb::class_<Trial>(module, "Trial")
        .def(nb::init<const Input<std::uint8_t>&, const Input<std::int64_t>&>(), "entries"_a,
             "offsets"_a)
        .def("try_changes", &Trial::try_changes, "used"_a, "removals"_a, "texts"_a, "offsets"_a,
             "threads"_a)
        .def("fewest_tokens", &Trial::fewest_tokens, "texts"_a, "offsets"_a, "threads"_a);
}
