// NumPy arrays as arguments and results of the bindings.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "matcher.hpp"

namespace spike {

namespace nb = nanobind;

template <class Item>
using Input = nb::ndarray<const Item, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class Item>
using Output = nb::ndarray<nb::numpy, Item, nb::ndim<1>>;

template <class Item>
std::span<const Item> view(const Input<Item>& array) {
    return {array.data(), array.size()};
}

// Moves the memory into a NumPy array.
template <class Item>
Output<Item> to_numpy(Array<Item> array) {
    const std::size_t size = array.size;
    Item* const items = array.items.get();
    nb::capsule owner(items, [](void* p) noexcept { delete[] static_cast<Item*>(p); });
    static_cast<void>(array.items.release());
    return Output<Item>(items, {size}, owner);
}

template <class Id>
nb::tuple to_numpy(Encoded<Id> encoded) {
    return nb::make_tuple(to_numpy(std::move(encoded.ids)), to_numpy(std::move(encoded.offsets)));
}

// Binds the classes and functions for training.
void bind_training(nb::module_& module);

}  // namespace spike
