// Bytes of token ids, as segments that end at ids without bytes (separators, special tokens).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spike {

class TokenBytes {
  public:
    // `offsets` [ids + 1] has where the bytes of each id begin in `entries`.
    // Throws std::invalid_argument for sizes that do not fit.
    TokenBytes(std::span<const std::uint8_t> entries, std::span<const std::int64_t> offsets);

    // Sets bytes and segment ends to those of the ids; std::invalid_argument for an unknown id.
    // Buffers are kept for the next call.
    template <class Id>
    void decode(std::span<const Id> ids);

    std::span<const std::uint8_t> bytes() const { return {bytes_.data(), size_}; }
    std::span<const std::int64_t> ends() const { return ends_; }

  private:
    struct Place {
        std::uint32_t start, length;
    };

    std::vector<std::uint8_t> entries_;
    std::vector<Place> places_;
    std::size_t longest_ = 0;
    std::vector<std::uint8_t> bytes_;
    std::size_t size_ = 0;
    std::vector<std::int64_t> ends_;
};

}  // namespace spike
