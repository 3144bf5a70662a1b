// Documents in one row of slots, where neighbouring tokens are joined in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "pair_board.hpp"
#include "texts.hpp"

namespace spike {

// A token covers as many slots as there were ids before anything was joined; its first and its last
// slot hold its id, so that both neighbours can be found without links. A border stands before,
// between and behind the documents. Ids are those of the documents plus one. Takes sizeof(Id) + ⅛
// bytes for each id of the documents.
template <class Id>
class TokenRow {
  public:
    static constexpr Id BORDER = 0;

    // Throws std::invalid_argument when an id is not below `ids`, or there are too many.
    template <class In>
    TokenRow(const Slices<In>& documents, std::size_t ids) : widths_(ids + 1, 1) {
        const std::size_t slots = documents.total() + documents.size() + 1;
        if (slots > std::numeric_limits<Place>::max()) {
            throw std::invalid_argument("the text has more than 4 Gi ids");
        }
        slots_.reserve(slots);
        slots_.push_back(BORDER);
        for (std::size_t i = 0; i < documents.size(); ++i) {
            for (const In id : documents[i]) {
                if (id >= ids) throw std::invalid_argument("an id of the text has no length");
                slots_.push_back(static_cast<Id>(id + 1));
            }
            slots_.push_back(BORDER);
        }
        inside_.resize(slots);
    }

    std::size_t size() const { return slots_.size(); }
    std::size_t ids() const { return widths_.size(); }
    Id id(Place place) const { return slots_[place]; }
    bool begins(Place place) const { return !inside_[place]; }
    Place after(Place place) const { return place + widths_[slots_[place]]; }
    Place before(Place place) const { return place - widths_[slots_[place - 1]]; }

    // Whether two tokens stand at a place.
    bool has_pair(Place place, std::uint64_t key) const {
        return begins(place) && id(place) == left_of(key) && id(after(place)) == right_of(key);
    }

    // Makes a new id for tokens that join `left` and `right`.
    Id add_id(Id left, Id right) {
        if (widths_.size() > std::numeric_limits<Id>::max()) {
            throw std::invalid_argument("more merges than were announced");
        }
        widths_.push_back(widths_[left] + widths_[right]);
        return static_cast<Id>(widths_.size() - 1);
    }

    // Joins the token at a place with the next one.
    void join(Place place, Id made) {
        inside_[after(place)] = true;
        slots_[place] = made;
        slots_[after(place) - 1] = made;
    }

    // How many tokens equal to the one at a place stand there side by side, up to it or from it on.
    std::size_t run_up_to(Place place) const {
        std::size_t run = 1;
        for (Place at = before(place); id(at) == id(place); at = before(at)) ++run;
        return run;
    }
    std::size_t run_from(Place place) const {
        std::size_t run = 1;
        for (Place at = after(place); id(at) == id(place); at = after(at)) ++run;
        return run;
    }

    // Calls take(place, key, counts) for each two neighbours; `counts` is false where a pair of
    // equal ids overlaps one that counts: of a a a a the first and the last two count.
    template <class Take>
    void for_each_pair(Take take) const {
        bool overlaps = false;
        for (Place place = 1, next; place < size(); place = next) {
            next = after(place);
            if (id(place) == BORDER || id(next) == BORDER) {
                overlaps = false;
                continue;
            }
            overlaps = id(place) == id(next) && !overlaps;
            take(place, pair_key(id(place), id(next)), id(place) != id(next) || overlaps);
        }
    }

  private:
    std::vector<Id> slots_;
    std::vector<bool> inside_;  // a token goes on here
    std::vector<std::uint32_t> widths_;
};

}  // namespace spike
