// The longest passages of a text that other texts repeat: matching statistics by a suffix automaton
// (Blumer et al., "The smallest automaton recognizing the subwords of a text", 1985), in time
// linear in all texts. A Bloom filter of short grams skips what has nothing in common with the
// text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hash.hpp"

namespace spike {

// The longest match that ends at `end` of the text, and where it ends in the data of the scan.
struct Repeat {
    std::size_t end, length, position;
};

class RepeatFinder {
  public:
    // Throws std::invalid_argument for a text above 2^24 bytes, and if `at_least` is 0.
    RepeatFinder(std::span<const std::uint8_t> text, std::size_t at_least);

    // Finds passages of at least `at_least` bytes within segments; none crosses two segments.
    void scan(std::span<const std::uint8_t> data, std::span<const std::int64_t> ends);

    // The matches that are longer than all before them with the same end, since the last call.
    std::vector<Repeat> take();

  private:
    struct State {
        std::uint32_t length, link, edges, end;
    };
    struct Edge {
        std::uint32_t next, target;
        std::uint8_t byte;
    };

    std::uint32_t add_state(std::uint32_t length, std::uint32_t end);
    void add_edge(std::uint32_t state, std::uint8_t byte, std::uint32_t target);
    std::uint32_t edge_of(std::uint32_t state, std::uint8_t byte) const;
    std::uint32_t append(std::uint32_t last, std::uint8_t byte);
    void redirect(std::uint32_t state, std::uint8_t byte, std::uint32_t from, std::uint32_t to);
    std::size_t follow(const std::uint8_t* data, std::size_t begin, std::size_t until,
                       std::size_t end);
    void note(std::uint32_t state, std::size_t length, std::size_t position);

    std::size_t at_least_, gram_, stride_;
    BloomFilter grams_;
    std::vector<State> states_;
    std::vector<Edge> edges_;
    // By the end in the text; whether `take` has not returned it yet.
    std::vector<Repeat> longest_;
    std::vector<bool> is_new_;
};

}  // namespace spike
