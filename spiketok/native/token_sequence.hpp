// Token sequence of all documents in one array, in which adjacent tokens are merged in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "pair_queue.hpp"
#include "texts.hpp"

namespace spike {

// A token covers as many slots as it had ids before the first merge; its first and its last slot
// hold its id, so both neighbours are found without links. There is a boundary before and after
// each document. Ids are those of the documents plus one. Takes sizeof(Id) + ⅛ bytes for each id of
// the documents.
template <class Id>
class TokenSequence {
  public:
    static constexpr Id BOUNDARY = 0;

    // Throws std::invalid_argument when an id is not below `ids`, or there are too many.
    template <class In>
    TokenSequence(const Slices<In>& documents, std::size_t ids) : widths_(ids + 1, 1) {
        const std::size_t slots = documents.total() + documents.size() + 1;
        if (slots > std::numeric_limits<Position>::max()) {
            throw std::invalid_argument("the text has more than 4 Gi ids");
        }
        slots_.reserve(slots);
        slots_.push_back(BOUNDARY);
        for (std::size_t i = 0; i < documents.size(); ++i) {
            for (const In id : documents[i]) {
                if (id >= ids) throw std::invalid_argument("an id of the text has no length");
                slots_.push_back(static_cast<Id>(id + 1));
            }
            slots_.push_back(BOUNDARY);
        }
        continues_.resize(slots);
    }

    std::size_t size() const { return slots_.size(); }
    std::size_t ids() const { return widths_.size(); }
    Id id(Position position) const { return slots_[position]; }
    bool is_token_start(Position position) const { return !continues_[position]; }
    Position next(Position position) const { return position + widths_[slots_[position]]; }
    Position previous(Position position) const { return position - widths_[slots_[position - 1]]; }

    // Whether the pair of this key begins at a position.
    bool has_pair(Position position, std::uint64_t key) const {
        return is_token_start(position) && id(position) == left_of(key) &&
               id(next(position)) == right_of(key);
    }

    // Makes a new id for the pair of `left` and `right`.
    Id add_id(Id left, Id right) {
        if (widths_.size() > std::numeric_limits<Id>::max()) {
            throw std::invalid_argument("more merges than were announced");
        }
        widths_.push_back(widths_[left] + widths_[right]);
        return static_cast<Id>(widths_.size() - 1);
    }

    // Merges the token at a position with the next one.
    void merge_at(Position position, Id merged) {
        continues_[next(position)] = true;
        slots_[position] = merged;
        slots_[next(position) - 1] = merged;
    }

    // The length of the run of equal tokens that ends or starts with the one at a position.
    std::size_t run_ending_at(Position position) const {
        std::size_t run = 1;
        for (Position at = previous(position); id(at) == id(position); at = previous(at)) ++run;
        return run;
    }
    std::size_t run_starting_at(Position position) const {
        std::size_t run = 1;
        for (Position at = next(position); id(at) == id(position); at = next(at)) ++run;
        return run;
    }

    // Calls take(position, key, counts) for each pair of adjacent tokens; `counts` is false where a
    // pair of equal ids overlaps one that counts: of a a a a the first and the last two count.
    template <class Take>
    void for_each_pair(Take take) const {
        bool overlaps = false;
        for (Position position = 1, second; position < size(); position = second) {
            second = next(position);
            if (id(position) == BOUNDARY || id(second) == BOUNDARY) {
                overlaps = false;
                continue;
            }
            overlaps = id(position) == id(second) && !overlaps;
            take(position, pair_key(id(position), id(second)),
                 id(position) != id(second) || overlaps);
        }
    }

  private:
    std::vector<Id> slots_;
    std::vector<bool> continues_;  // the slot continues a token
    std::vector<std::uint32_t> widths_;
};

}  // namespace spike
