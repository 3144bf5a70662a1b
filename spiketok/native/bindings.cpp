// Python bindings (nanobind) of encoding and decoding. Arguments are checked here or by the callee.

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "bese.hpp"
#include "decoder.hpp"
#include "matcher.hpp"
#include "python_arrays.hpp"
#include "texts.hpp"
#include "trie.hpp"

namespace {

using namespace spike;

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
        return to_numpy(std::move(encoded));
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
        // No other thread has a reference to the new object: it may be filled without the lock.
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

class BeseCoder {
  public:
    BeseCoder(bool lossless, const Input<std::uint32_t>& left, const Input<std::uint32_t>& right,
              const nb::bytes& name, std::size_t size)
        : bese_(lossless, view(left), view(right), std::string(name.c_str(), name.size()), size) {}

    nb::tuple encode(const Input<std::uint8_t>& bytes, const Input<std::int64_t>& offsets,
                     unsigned threads, bool wide) const {
        if (bese_.size() > 0x10000 && !wide)
            throw std::invalid_argument("the ids do not fit 16 bits");
        const Texts texts(view(bytes), view(offsets));
        return wide ? encode_as<std::uint32_t>(texts, threads)
                    : encode_as<std::uint16_t>(texts, threads);
    }

    template <class Id>
    nb::tuple decode(const Input<Id>& ids, std::uint32_t state) const {
        std::string text;
        {
            nb::gil_scoped_release free;
            state = bese_.decode(view(ids), state, text);
        }
        return nb::make_tuple(nb::bytes(text.data(), text.size()), state);
    }

  private:
    template <class Id>
    nb::tuple encode_as(const Texts& texts, unsigned threads) const {
        auto encoded = [&] {
            nb::gil_scoped_release free;
            return bese_.encode<Id>(texts, threads);
        }();
        return to_numpy(std::move(encoded));
    }

    Bese bese_;
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
    nb::class_<BeseCoder>(module, "BeseCoder")
        .def(nb::init<bool, const Input<std::uint32_t>&, const Input<std::uint32_t>&,
                      const nb::bytes&, std::size_t>(),
             "lossless"_a, "left"_a, "right"_a, "name"_a, "size"_a)
        .def("encode", &BeseCoder::encode, "texts"_a, "offsets"_a, "threads"_a, "wide"_a)
        .def("decode", &BeseCoder::decode<std::uint16_t>, "ids"_a, "state"_a = 0)
        .def("decode", &BeseCoder::decode<std::uint32_t>, "ids"_a, "state"_a = 0)
        .def("decode", &BeseCoder::decode<std::int64_t>, "ids"_a, "state"_a = 0);
    bind_training(module);
}
