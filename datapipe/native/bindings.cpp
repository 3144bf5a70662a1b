// Python bindings (nanobind) of the row reader. Sizes are checked here or by the callee.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "row_reader.hpp"

namespace nb = nanobind;

namespace {

using Starts = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
// Flags and rows are written, so these types do not accept read-only arrays.
using Flags = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

spike::Runs runs_of(const Table& table, std::size_t line, std::size_t range_bytes,
                    std::size_t width) {
    return {{table.data(), table.size()}, table.shape(1), line, range_bytes, width};
}

std::vector<std::size_t> unchecked_ranges(const Starts& starts, const Table& table,
                                          std::size_t line, const Flags& unchecked,
                                          std::size_t range_bytes, std::size_t width,
                                          std::size_t size) {
    const auto runs = runs_of(table, line, range_bytes, width);
    nb::gil_scoped_release free;
    return spike::unchecked_ranges({starts.data(), starts.size()}, runs,
                                   {unchecked.data(), unchecked.size()}, size);
}

std::size_t read_rows(const Starts& starts, const Table& table, std::size_t line,
                      const Flags& unchecked, std::size_t range_bytes, std::size_t width,
                      const Rows& rows, std::size_t begin) {
    const auto runs = runs_of(table, line, range_bytes, width);
    if (rows.shape(0) != starts.size()) throw std::invalid_argument("rows do not fit");
    nb::gil_scoped_release free;
    return spike::read_rows({starts.data(), starts.size()}, runs,
                            {unchecked.data(), unchecked.size()}, {rows.data(), rows.size()},
                            rows.shape(1), begin);
}

}  // namespace

NB_MODULE(_reading, module) {
    using namespace nb::literals;
    module.def("unchecked_ranges", &unchecked_ranges, "starts"_a.noconvert(), "runs"_a.noconvert(),
               "line"_a, "unchecked"_a.noconvert(), "range_bytes"_a, "width"_a, "size"_a);
    module.def("read_rows", &read_rows, "starts"_a.noconvert(), "runs"_a.noconvert(), "line"_a,
               "unchecked"_a.noconvert(), "range_bytes"_a, "width"_a, "rows"_a.noconvert(),
               "begin"_a);
}
