// Python bindings (nanobind) of the arithmetic coder of weights. Sizes are checked here or by the
// callee.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "adaptive_coder.hpp"

namespace nb = nanobind;

namespace {

using namespace spike;
using Symbols = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
// Cells are written, so this type does not accept read-only arrays.
using Cells = nb::ndarray<std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::bytes encode_symbols(const Symbols& symbols, unsigned bits, unsigned centre,
                         const Cells& cells) {
    std::string out;
    {
        nb::gil_scoped_release free;
        encode({symbols.data(), symbols.size()}, {symbols.shape(0), symbols.shape(1), bits, centre},
               {cells.data(), cells.size()}, out);
    }
    return nb::bytes(out.data(), out.size());
}

nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<2>> decode_symbols(const Bytes& bytes,
                                                                 std::size_t rows,
                                                                 std::size_t columns, unsigned bits,
                                                                 unsigned centre,
                                                                 const Cells& cells) {
    if (columns != 0 && rows > PTRDIFF_MAX / columns)
        throw std::invalid_argument("too many symbols");
    auto symbols = std::make_unique<std::uint8_t[]>(rows * columns);
    {
        nb::gil_scoped_release free;
        decode({bytes.data(), bytes.size()}, {rows, columns, bits, centre},
               {cells.data(), cells.size()}, {symbols.get(), rows * columns});
    }
    nb::capsule owner(symbols.get(),
                      [](void* p) noexcept { delete[] static_cast<std::uint8_t*>(p); });
    std::uint8_t* const data = symbols.release();
    return {data, {rows, columns}, owner};
}

}  // namespace

NB_MODULE(_coding, module) {
    using namespace nb::literals;
    module.def("cell_count", &cell_count, "bits"_a);
    module.def("encode_symbols", &encode_symbols, "symbols"_a.noconvert(), "bits"_a, "centre"_a,
               "cells"_a.noconvert());
    module.def("decode_symbols", &decode_symbols, "data"_a.noconvert(), "rows"_a, "columns"_a,
               "bits"_a, "centre"_a, "cells"_a.noconvert());
}
