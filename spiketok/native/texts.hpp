// Views of byte strings in one buffer with offsets, the layout of Arrow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

namespace spike {

// Slice i is items[offsets[i] … offsets[i + 1]); the constructor throws std::invalid_argument
// unless every slice is inside the buffer.
template <class Item>
class Slices {
  public:
    Slices(std::span<const Item> items, std::span<const std::int64_t> offsets)
        : items_(items), offsets_(offsets) {
        if (offsets.empty()) throw std::invalid_argument("offsets must hold at least one number");
        if (offsets.front() < 0) throw std::invalid_argument("offsets must not be negative");
        for (std::size_t i = 1; i < offsets.size(); ++i) {
            if (offsets[i] < offsets[i - 1]) throw std::invalid_argument("offsets must not fall");
        }
        if (static_cast<std::uint64_t>(offsets.back()) > items.size()) {
            throw std::invalid_argument("offsets point beyond the end of the data");
        }
    }

    std::size_t size() const { return offsets_.size() - 1; }
    std::size_t begin(std::size_t i) const { return static_cast<std::size_t>(offsets_[i]); }
    std::size_t total() const { return begin(size()) - begin(0); }
    std::span<const Item> operator[](std::size_t i) const {
        return items_.subspan(begin(i), begin(i + 1) - begin(i));
    }

  private:
    std::span<const Item> items_;
    std::span<const std::int64_t> offsets_;
};

using Texts = Slices<std::uint8_t>;

}  // namespace spike
