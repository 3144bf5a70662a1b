// Counts of the distinct segments of a corpus, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bese.hpp"

namespace spike {

// When the distinct segments exceed the capacity, those with the larger half of the hashes are
// dropped, and never counted again. The limit of the hashes only falls, so a segment that is kept
// in the end was never dropped before: its count is exact, and the same for any order of the texts.
class SegmentCounter {
  public:
    // `capacity`: base ids to keep, where each segment costs SEGMENT_COST more.
    explicit SegmentCounter(std::size_t capacity);

    static constexpr std::size_t SEGMENT_COST = 32;

    // Counts the segments of texts in the lossless alphabet.
    void add(const Texts& texts);

    // How often the limit of the hashes was halved.
    unsigned halvings() const { return halvings_; }

    std::size_t size() const { return segments_.size(); }
    std::span<const std::uint8_t> segment(std::size_t i) const;
    std::uint64_t count(std::size_t i) const { return segments_[i].count; }

  private:
    struct Segment {
        std::uint64_t hash, begin, count;
    };

    void count_segment(std::span<const std::uint8_t> segment);
    void halve();
    void rebuild_index(std::size_t slots);
    bool is_kept(std::uint64_t hash) const {
        return halvings_ == 0 || hash >> (64 - halvings_) == 0;
    }

    Alphabet alphabet_{true};
    std::size_t capacity_;
    unsigned halvings_ = 0;
    std::vector<std::uint8_t> ids_;
    std::vector<Segment> segments_;
    std::vector<std::uint32_t> index_;  // open addressing: index into segments_, plus one
    std::vector<std::uint8_t> buffer_;
};

}  // namespace spike
