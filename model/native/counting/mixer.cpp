#include "mixer.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace spike {

Mixer::Mixer(std::size_t weight_sets, std::span<const double> initial_weights, double min_rate,
             double fixed_share)
    : initial_weights_(initial_weights.begin(), initial_weights.end()),
      min_rate_(min_rate),
      fixed_share_(fixed_share) {
    double sum = 0;
    for (const double weight : initial_weights) {
        if (!(weight >= 0)) throw std::invalid_argument("a weight is below 0");
        sum += weight;
    }
    if (!(std::abs(sum - 1) < 1e-9)) throw std::invalid_argument("the weights do not add up to 1");
    if (!(min_rate >= 0 && min_rate <= 1) || !(fixed_share >= 0 && fixed_share <= 1)) {
        throw std::invalid_argument("rate and share must be within 0 and 1");
    }
    if (weight_sets == 0 || weight_sets > (std::size_t{1} << 24))
        throw std::invalid_argument("the number of weight sets is out of range");
    uses_.resize(weight_sets);
    for (std::size_t weight_set = 0; weight_set < weight_sets; ++weight_set) {
        weights_.insert(weights_.end(), initial_weights.begin(), initial_weights.end());
    }
}

std::span<const double> Mixer::weights(std::uint32_t weight_set) const {
    if (weight_set >= uses_.size()) throw std::invalid_argument("there is no such weight set");
    return std::span(weights_).subspan(weight_set * experts(), experts());
}

void Mixer::update(std::span<double> weights, std::span<const double> p, double mean,
                   std::uint64_t& uses) {
    const double rate = std::max(min_rate_, 1 / (static_cast<double>(uses++) + 2));
    double sum = 0;
    for (std::size_t j = 0; j < weights.size(); ++j) {
        weights[j] *= 1 - rate + rate * p[j] / mean;
        weights[j] += fixed_share_ * (initial_weights_[j] - weights[j]);
        sum += weights[j];
    }
    for (double& weight : weights) weight /= sum;
}

void Mixer::score(std::span<const double> p, std::span<const std::uint32_t> weight_sets, bool learn,
                  std::span<double> out) {
    if (p.size() != weight_sets.size() * experts() || out.size() != weight_sets.size()) {
        throw std::invalid_argument(
            "there must be a probability for each expert, and a weight set");
    }
    for (const double item : p) {
        if (!(item >= 0 && item <= 2)) throw std::invalid_argument("a probability is out of range");
    }
    for (const std::uint32_t weight_set : weight_sets) static_cast<void>(weights(weight_set));
    for (std::size_t i = 0; i < weight_sets.size(); ++i) {
        const std::span<double> row =
            std::span(weights_).subspan(weight_sets[i] * experts(), experts());
        const std::span<const double> expert_p = p.subspan(i * experts(), experts());
        double mean = 0;
        for (std::size_t j = 0; j < experts(); ++j) mean += row[j] * expert_p[j];
        out[i] = mean;
        // Below this, p / mean could overflow; with a uniform expert the mean is never so small.
        if (learn && mean > 1e-290) update(row, expert_p, mean, uses_[weight_sets[i]]);
    }
}

}  // namespace spike
