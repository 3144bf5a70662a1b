// Mixer: weighted mean of experts' probabilities, with weights learned online (soft-Bayes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spike {

// Soft-Bayes (Orseau, Lattimore & Legg 2017, arXiv:1711.07653) with fixed share (Herbster & Warmuth
// 1998): after each update a part of every weight returns to the initial weight. A context selects
// one of several weight sets. A set that was used n times learns at the rate 1 / (n + 2), or at
// `min_rate` if that is more. At the rate 1 this is Bayes' rule.
//
// The weights of a set stay a distribution: an update multiplies weight v of an expert with
// probability p by 1 - rate + rate · p / mean, and the sum of v · p is the mean, so the sum of the
// new weights is 1 - rate + rate = 1. They are divided by their sum for the rounding.
class Mixer {
  public:
    Mixer(std::size_t weight_sets, std::span<const double> initial_weights, double min_rate,
          double fixed_share);

    // Means out[i] of p[i · experts + j] by the weights of weight_sets[i], which then learn.
    void score(std::span<const double> p, std::span<const std::uint32_t> weight_sets, bool learn,
               std::span<double> out);
    std::span<const double> weights(std::uint32_t weight_set) const;
    std::size_t experts() const { return initial_weights_.size(); }

  private:
    void update(std::span<double> weights, std::span<const double> p, double mean,
                std::uint64_t& uses);

    std::vector<double> initial_weights_, weights_;
    std::vector<std::uint64_t> uses_;
    double min_rate_, fixed_share_;
};

}  // namespace spike
