// Python bindings (nanobind) of the search for windows of texts in shards. Sizes are checked by
// the callee.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "repeat_finder.hpp"
#include "token_bytes.hpp"
#include "window_set.hpp"

namespace nb = nanobind;

namespace {

template <class Item>
using Row = nb::ndarray<const Item, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
// Counts are written, so this type does not accept read-only arrays.
using Counts = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class Item>
std::span<const Item> view(const Row<Item>& array) {
    return {array.data(), array.size()};
}

template <class Item>
std::span<const std::uint8_t> bytes_of(const Row<Item>& array) {
    return {reinterpret_cast<const std::uint8_t*>(array.data()), array.size() * sizeof(Item)};
}

template <class Item>
void construct(spike::WindowSet* self, const Row<Item>& texts, const Row<std::int64_t>& ends,
               std::size_t window) {
    nb::gil_scoped_release free;
    new (self) spike::WindowSet(bytes_of(texts), view(ends), sizeof(Item), window);
}

template <class Item>
void scan(spike::WindowSet& self, const Row<Item>& data, const Row<std::int64_t>& ends) {
    if (self.width() != sizeof(Item)) throw std::invalid_argument("elements of another type");
    nb::gil_scoped_release free;
    self.scan(bytes_of(data), view(ends));
}

template <class Id>
void scan_decoded(spike::WindowSet& self, const Row<Id>& ids, spike::TokenBytes& decoder) {
    if (self.width() != 1) throw std::invalid_argument("elements of another type");
    nb::gil_scoped_release free;
    decoder.decode(view(ids));
    self.scan(decoder.bytes(), decoder.ends());
}

template <class Id>
void follow_decoded(spike::RepeatFinder& self, const Row<Id>& ids, spike::TokenBytes& decoder) {
    nb::gil_scoped_release free;
    decoder.decode(view(ids));
    self.scan(decoder.bytes(), decoder.ends());
}

nb::list take(spike::RepeatFinder& self) {
    nb::list found;
    for (const spike::Repeat& repeat : self.take())
        found.append(nb::make_tuple(repeat.end, repeat.length, repeat.position));
    return found;
}

void count(const spike::WindowSet& self, const Counts& windows, const Counts& seen) {
    nb::gil_scoped_release free;
    self.count({windows.data(), windows.size()}, {seen.data(), seen.size()});
}

}  // namespace

NB_MODULE(_overlap, module) {
    using namespace nb::literals;
    nb::class_<spike::TokenBytes>(module, "TokenBytes")
        .def(
            "__init__",
            [](spike::TokenBytes* self, const Row<std::uint8_t>& entries,
               const Row<std::int64_t>& offsets) {
                new (self) spike::TokenBytes(view(entries), view(offsets));
            },
            "entries"_a.noconvert(), "offsets"_a.noconvert());
    nb::class_<spike::WindowSet>(module, "WindowSet")
        .def("__init__", &construct<std::uint8_t>, "texts"_a.noconvert(), "ends"_a.noconvert(),
             "window"_a)
        .def("__init__", &construct<std::uint16_t>, "texts"_a.noconvert(), "ends"_a.noconvert(),
             "window"_a)
        .def("__init__", &construct<std::uint32_t>, "texts"_a.noconvert(), "ends"_a.noconvert(),
             "window"_a)
        .def("scan", &scan<std::uint8_t>, "data"_a.noconvert(), "ends"_a.noconvert())
        .def("scan", &scan<std::uint16_t>, "data"_a.noconvert(), "ends"_a.noconvert())
        .def("scan", &scan<std::uint32_t>, "data"_a.noconvert(), "ends"_a.noconvert())
        .def("scan_decoded", &scan_decoded<std::uint16_t>, "ids"_a.noconvert(), "decoder"_a)
        .def("scan_decoded", &scan_decoded<std::uint32_t>, "ids"_a.noconvert(), "decoder"_a)
        .def("count", &count, "windows"_a.noconvert(), "seen"_a.noconvert());
    nb::class_<spike::RepeatFinder>(module, "RepeatFinder")
        .def(
            "__init__",
            [](spike::RepeatFinder* self, const Row<std::uint8_t>& text, std::size_t at_least) {
                nb::gil_scoped_release free;
                new (self) spike::RepeatFinder(view(text), at_least);
            },
            "text"_a.noconvert(), "at_least"_a)
        .def(
            "scan",
            [](spike::RepeatFinder& self, const Row<std::uint8_t>& data,
               const Row<std::int64_t>& ends) {
                nb::gil_scoped_release free;
                self.scan(view(data), view(ends));
            },
            "data"_a.noconvert(), "ends"_a.noconvert())
        .def("scan_decoded", &follow_decoded<std::uint16_t>, "ids"_a.noconvert(), "decoder"_a)
        .def("scan_decoded", &follow_decoded<std::uint32_t>, "ids"_a.noconvert(), "decoder"_a)
        .def("take", &take);
}
