#include "trie.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>

namespace spike {
namespace {

// Only the label says whose child a cell is. That is enough because no two nodes share a base, and
// because no base but the root's is a multiple of 128: an empty cell i gets the label i % 128,
// which only such a base could ask for, and childless nodes take the base 128, which nothing
// answers.
constexpr std::uint32_t FORBIDDEN_BASES = 128;
constexpr std::size_t LARGEST_BASE = (1u << 24) - 512;
// How far behind the last used cell a gap is looked for: more packs tighter and builds slower.
constexpr std::size_t SEARCH_WINDOW = 2048;

class Bits {
  public:
    void set(std::size_t i) {
        grow(i);
        words_[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    // Bits i … i + 63 as one word.
    std::uint64_t window(std::size_t i) const {
        const std::size_t word = i / 64, shift = i % 64;
        const std::uint64_t low = at(word) >> shift;
        return shift == 0 ? low : low | at(word + 1) << (64 - shift);
    }

  private:
    std::uint64_t at(std::size_t word) const { return word < words_.size() ? words_[word] : 0; }
    void grow(std::size_t i) {
        if (i / 64 >= words_.size()) words_.resize(i / 64 + 1);
    }
    std::vector<std::uint64_t> words_;
};

// Finds for each node a base at which all its children fall on empty cells.
class Places {
  public:
    std::uint32_t take(std::span<const std::uint8_t> labels) {
        std::size_t block = last_ > SEARCH_WINDOW ? last_ - SEARCH_WINDOW : 0;
        for (block -= block % 64;; block += 64) {
            std::uint64_t taken = bases_.window(block);
            if (block % FORBIDDEN_BASES == 0) taken |= 1;
            for (const std::uint8_t label : labels) taken |= cells_.window(block + label);
            if (~taken == 0) continue;
            const std::size_t base = block + std::countr_one(taken);
            if (base > LARGEST_BASE) throw std::invalid_argument("the vocabulary is too large");
            bases_.set(base);
            for (const std::uint8_t label : labels) cells_.set(base + label);
            last_ = std::max(last_, base + labels.back());
            return static_cast<std::uint32_t>(base);
        }
    }
    void take_root() {
        for (std::size_t cell = 0; cell < 256; ++cell) cells_.set(cell);
        last_ = 255;
    }
    std::size_t last() const { return last_; }

  private:
    Bits cells_, bases_;
    std::size_t last_ = 0;
};

struct Node {
    std::size_t first, last;  // its range in the sorted entries
    std::size_t cell;
    std::uint32_t token, overrun;  // as in its cell
};

// The standard library compares these many bytes at a time.
std::string_view text(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Builder {
  public:
    Builder(const Texts& entries, std::span<const std::uint32_t> ids)
        : entries_(entries), ids_(ids), order_(entries.size()) {
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        std::ranges::sort(order_, [&](std::size_t a, std::size_t b) {
            return text(entries_[a]) < text(entries_[b]);
        });
        fill_lengths();
        for (std::size_t i = 1; i < order_.size(); ++i) {
            if (std::ranges::equal(entry(i - 1), entry(i))) {
                throw std::invalid_argument("two entries have the same bytes");
            }
        }
    }

    // Level by level, so that the cells most often visited lie together; but an entry's bytes that
    // no other entry shares lie in a row, which a core reads ahead.
    Trie build() {
        places_.take_root();
        std::vector<Node> level = children({0, order_.size(), 0, 0, 0}, 0, nullptr);
        if (level.size() != 256) throw std::invalid_argument("a single byte is no entry");
        for (std::size_t depth = 1; !level.empty(); ++depth) {
            std::vector<Node> next;
            for (Node& node : level) {
                std::vector<Node> found = place(node, depth);
                for (std::size_t below = depth + 1; is_tail(found); ++below) {
                    found = place(found.front(), below);
                }
                next.insert(next.end(), found.begin(), found.end());
            }
            level = std::move(next);
        }
        fill_gaps();
        return std::move(trie_);
    }

  private:
    std::span<const std::uint8_t> entry(std::size_t rank) const { return entries_[order_[rank]]; }

    static bool is_tail(const std::vector<Node>& found) {
        return found.size() == 1 && found.front().last - found.front().first == 1;
    }

    // Writes the node's own cells and returns its children with their cells.
    std::vector<Node> place(Node& node, std::size_t depth) {
        if (entry(node.first).size() == depth) {
            node.token = ids_[order_[node.first]];
            node.overrun = 0;
            ++node.first;
        } else {
            if (depth == 1) throw std::invalid_argument("a single byte is no entry");
            ++node.overrun;
        }
        std::uint32_t base = FORBIDDEN_BASES;
        std::vector<Node> found;
        if (node.first < node.last) found = children(node, depth, &base);
        resize(std::max<std::size_t>(node.cell, places_.last()) + 1);
        trie_.cells[node.cell] |=
            Cell{base} << 40 | Cell{node.token} << 16 | Cell{node.overrun} << 8;
        return found;
    }

    // Groups the node's entries by their byte at `depth`; base == nullptr means the root.
    std::vector<Node> children(const Node& node, std::size_t depth, std::uint32_t* base) {
        std::vector<Node> found;
        std::vector<std::uint8_t> labels;
        for (std::size_t i = node.first; i < node.last; ++i) {
            const std::uint8_t label = entry(i)[depth];
            if (labels.empty() || labels.back() != label) {
                labels.push_back(label);
                found.push_back({i, i, 0, node.token, node.overrun});
            }
            found.back().last = i + 1;
        }
        const std::uint32_t row = base ? * base = places_.take(labels) : 0;
        resize(places_.last() + 1);
        for (std::size_t i = 0; i < labels.size(); ++i) {
            found[i].cell = row + labels[i];
            trie_.cells[found[i].cell] = labels[i];
            occupied_[found[i].cell] = true;
        }
        return found;
    }

    void resize(std::size_t cells) {
        if (cells <= trie_.cells.size()) return;
        trie_.cells.resize(cells);
        occupied_.resize(cells);
    }

    void fill_gaps() {
        // Every base lies below the last cell, so no step leads behind 256 more.
        resize(trie_.cells.size() + 256);
        for (std::size_t i = 0; i < trie_.cells.size(); ++i) {
            if (!occupied_[i]) trie_.cells[i] = i % FORBIDDEN_BASES;
        }
    }

    void fill_lengths() {
        if (!ids_.empty()) trie_.lengths.resize(std::size_t{std::ranges::max(ids_)} + 1);
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            // A token's length is known by its id alone.
            if (trie_.lengths[ids_[i]] != 0)
                throw std::invalid_argument("two entries have the same id");
            trie_.lengths[ids_[i]] = static_cast<std::uint8_t>(entries_[i].size());
        }
    }

    Texts entries_;
    std::span<const std::uint32_t> ids_;
    std::vector<std::size_t> order_;
    Places places_;
    Trie trie_;
    std::vector<bool> occupied_;
};

}  // namespace

Trie build_trie(const Texts& entries, std::span<const std::uint32_t> ids) {
    if (ids.size() != entries.size()) throw std::invalid_argument("as many ids as entries, please");
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::size_t length = entries[i].size();
        if (length == 0) throw std::invalid_argument("an entry is empty");
        if (length > LONGEST_ENTRY) {
            throw std::invalid_argument("an entry is longer than " + std::to_string(LONGEST_ENTRY) +
                                        " bytes");
        }
        if (ids[i] >= MOST_ENTRIES) throw std::invalid_argument("an id does not fit 24 bits");
    }
    return Builder(entries, ids).build();
}

}  // namespace spike
