#include "trie.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>

namespace spike {
namespace {

// A cell has its label, but not its parent. Claim: base + c has the label c only if it is the child
// of the node with this base. Reason: no two nodes with children share a base, so a used cell i
// with the label c has the one parent whose base is i - c. An empty cell i gets the label i % 128,
// which only a base that is a multiple of 128 could ask for. Such bases are reserved but for two:
// the root's, 0, all of whose cells are used, and 128, that of all nodes without children. No cell
// 128 + c has the label c: up to 255 the labels are those of the root's children, and later empty
// cells have labels below 128 where c is at least 128.
constexpr std::uint32_t RESERVED_BASE_MULTIPLE = 128;
constexpr std::size_t MAX_BASE = (1u << 24) - 512;
// How many cells before the last used one are searched for a gap: more packs tighter and builds
// slower.
constexpr std::size_t SEARCH_WINDOW = 2048;

class BitVector {
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

// Finds for each node a base at which the cells of all its children are empty.
class BaseAllocator {
  public:
    std::uint32_t allocate(std::span<const std::uint8_t> labels) {
        std::size_t block = last_cell_ > SEARCH_WINDOW ? last_cell_ - SEARCH_WINDOW : 0;
        for (block -= block % 64;; block += 64) {
            std::uint64_t taken = used_bases_.window(block);
            if (block % RESERVED_BASE_MULTIPLE == 0) taken |= 1;
            for (const std::uint8_t label : labels) taken |= used_cells_.window(block + label);
            if (~taken == 0) continue;
            const std::size_t base = block + std::countr_one(taken);
            if (base > MAX_BASE) throw std::invalid_argument("the vocabulary is too large");
            used_bases_.set(base);
            for (const std::uint8_t label : labels) used_cells_.set(base + label);
            last_cell_ = std::max(last_cell_, base + labels.back());
            return static_cast<std::uint32_t>(base);
        }
    }
    void reserve_root() {
        for (std::size_t cell = 0; cell < 256; ++cell) used_cells_.set(cell);
        last_cell_ = 255;
    }
    std::size_t last_cell() const { return last_cell_; }

  private:
    BitVector used_cells_, used_bases_;
    std::size_t last_cell_ = 0;
};

struct Node {
    std::size_t first, last;  // range in the sorted entries
    std::size_t cell;
    std::uint32_t token, bytes_past_match;  // as in its cell
};

// The standard library compares string views many bytes at a time.
std::string_view as_string(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Builder {
  public:
    Builder(const Texts& entries, std::span<const std::uint32_t> ids)
        : entries_(entries), ids_(ids), order_(entries.size()) {
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        std::ranges::sort(order_, [&](std::size_t a, std::size_t b) {
            return as_string(entries_[a]) < as_string(entries_[b]);
        });
        fill_lengths();
        for (std::size_t i = 1; i < order_.size(); ++i) {
            if (std::ranges::equal(entry(i - 1), entry(i))) {
                throw std::invalid_argument("two entries have the same bytes");
            }
        }
    }

    // Level by level, so that the cells most often visited are close together; but the bytes of an
    // entry that no other entry shares are in adjacent cells, which the hardware prefetches.
    Trie build() {
        bases_.reserve_root();
        std::vector<Node> level = children({0, order_.size(), 0, 0, 0}, 0, nullptr);
        if (level.size() != 256) throw std::invalid_argument("a single byte is no entry");
        for (std::size_t depth = 1; !level.empty(); ++depth) {
            std::vector<Node> next;
            for (Node& node : level) {
                std::vector<Node> nodes = place(node, depth);
                for (std::size_t below = depth + 1; is_single_entry(nodes); ++below) {
                    nodes = place(nodes.front(), below);
                }
                next.insert(next.end(), nodes.begin(), nodes.end());
            }
            level = std::move(next);
        }
        fill_gaps();
        return std::move(trie_);
    }

  private:
    std::span<const std::uint8_t> entry(std::size_t rank) const { return entries_[order_[rank]]; }

    static bool is_single_entry(const std::vector<Node>& nodes) {
        return nodes.size() == 1 && nodes.front().last - nodes.front().first == 1;
    }

    // Writes the node's cell and returns its children, whose cells are allocated.
    std::vector<Node> place(Node& node, std::size_t depth) {
        if (entry(node.first).size() == depth) {
            node.token = ids_[order_[node.first]];
            node.bytes_past_match = 0;
            ++node.first;
        } else {
            if (depth == 1) throw std::invalid_argument("a single byte is no entry");
            ++node.bytes_past_match;
        }
        std::uint32_t base = RESERVED_BASE_MULTIPLE;
        std::vector<Node> nodes;
        if (node.first < node.last) nodes = children(node, depth, &base);
        resize(std::max<std::size_t>(node.cell, bases_.last_cell()) + 1);
        trie_.cells[node.cell] |=
            Cell{base} << 40 | Cell{node.token} << 16 | Cell{node.bytes_past_match} << 8;
        return nodes;
    }

    // Groups the node's entries by their byte at `depth`; base == nullptr: the root.
    std::vector<Node> children(const Node& node, std::size_t depth, std::uint32_t* base) {
        std::vector<Node> nodes;
        std::vector<std::uint8_t> labels;
        for (std::size_t i = node.first; i < node.last; ++i) {
            const std::uint8_t label = entry(i)[depth];
            if (labels.empty() || labels.back() != label) {
                labels.push_back(label);
                nodes.push_back({i, i, 0, node.token, node.bytes_past_match});
            }
            nodes.back().last = i + 1;
        }
        const std::uint32_t row = base ? * base = bases_.allocate(labels) : 0;
        resize(bases_.last_cell() + 1);
        for (std::size_t i = 0; i < labels.size(); ++i) {
            nodes[i].cell = row + labels[i];
            trie_.cells[nodes[i].cell] = labels[i];
            occupied_[nodes[i].cell] = true;
        }
        return nodes;
    }

    void resize(std::size_t cells) {
        if (cells <= trie_.cells.size()) return;
        trie_.cells.resize(cells);
        occupied_.resize(cells);
    }

    void fill_gaps() {
        // Every base is below the last cell, so no step leads beyond 256 more.
        resize(trie_.cells.size() + 256);
        for (std::size_t i = 0; i < trie_.cells.size(); ++i) {
            if (!occupied_[i]) trie_.cells[i] = i % RESERVED_BASE_MULTIPLE;
        }
    }

    void fill_lengths() {
        if (!ids_.empty()) trie_.lengths.resize(std::size_t{std::ranges::max(ids_)} + 1);
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            // The encoder finds the length of a token by its id alone.
            if (trie_.lengths[ids_[i]] != 0)
                throw std::invalid_argument("two entries have the same id");
            trie_.lengths[ids_[i]] = static_cast<std::uint8_t>(entries_[i].size());
        }
    }

    Texts entries_;
    std::span<const std::uint32_t> ids_;
    std::vector<std::size_t> order_;
    BaseAllocator bases_;
    Trie trie_;
    std::vector<bool> occupied_;
};

}  // namespace

Trie build_trie(const Texts& entries, std::span<const std::uint32_t> ids) {
    if (ids.size() != entries.size())
        throw std::invalid_argument("there must be one id for each entry");
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::size_t length = entries[i].size();
        if (length == 0) throw std::invalid_argument("an entry is empty");
        if (length > MAX_ENTRY_BYTES) {
            throw std::invalid_argument("an entry is longer than " +
                                        std::to_string(MAX_ENTRY_BYTES) + " bytes");
        }
        if (ids[i] >= MAX_ENTRIES) throw std::invalid_argument("an id does not fit 24 bits");
    }
    return Builder(entries, ids).build();
}

}  // namespace spike
