// A weighted mean of several probabilities whose weights learn from the scores so far.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spike {

// Soft-Bayes (Orseau, Lattimore & Legg 2017, arXiv:1711.07653) with a share that flows back to the
// first weights (Herbster & Warmuth 1998). There is a row of weights for each set; a set that
// was used n times learns at the rate 1 / (n + 2), or at `slowest` if that is more. At the rate 1
// this is Bayes' rule.
class Mixture {
  public:
    Mixture(std::size_t sets, std::span<const double> first, double slowest, double share);

    // From p[i · experts + j] the means out[i], with the weights of sets[i], which then learn.
    void score(std::span<const double> p, std::span<const std::uint32_t> sets, bool learn,
               std::span<double> out);
    std::span<const double> weights(std::uint32_t set) const;
    std::size_t experts() const { return first_.size(); }

  private:
    void learn(std::span<double> weights, std::span<const double> p, double mean,
               std::uint64_t& uses);

    std::vector<double> first_, weights_;
    std::vector<std::uint64_t> uses_;
    double slowest_, share_;
};

}  // namespace spike
