#include "mixture.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace spike {

Mixture::Mixture(std::size_t sets, std::span<const double> first, double slowest, double share)
    : first_(first.begin(), first.end()), slowest_(slowest), share_(share) {
    double sum = 0;
    for (const double weight : first) {
        if (!(weight >= 0)) throw std::invalid_argument("a weight is below 0");
        sum += weight;
    }
    if (!(std::abs(sum - 1) < 1e-9)) throw std::invalid_argument("the weights do not add up to 1");
    if (!(slowest >= 0 && slowest <= 1) || !(share >= 0 && share <= 1)) {
        throw std::invalid_argument("rate and share are parts of 1");
    }
    if (sets == 0 || sets > (std::size_t{1} << 24))
        throw std::invalid_argument("no such number of sets");
    uses_.resize(sets);
    for (std::size_t set = 0; set < sets; ++set) {
        weights_.insert(weights_.end(), first.begin(), first.end());
    }
}

std::span<const double> Mixture::weights(std::uint32_t set) const {
    if (set >= uses_.size()) throw std::invalid_argument("there is no such set");
    return std::span(weights_).subspan(set * experts(), experts());
}

void Mixture::learn(std::span<double> weights, std::span<const double> p, double mean,
                    std::uint64_t& uses) {
    const double rate = std::max(slowest_, 1 / (static_cast<double>(uses++) + 2));
    double sum = 0;
    for (std::size_t j = 0; j < weights.size(); ++j) {
        weights[j] *= 1 - rate + rate * p[j] / mean;
        weights[j] += share_ * (first_[j] - weights[j]);
        sum += weights[j];
    }
    for (double& weight : weights) weight /= sum;
}

void Mixture::score(std::span<const double> p, std::span<const std::uint32_t> sets, bool learn,
                    std::span<double> out) {
    if (p.size() != sets.size() * experts() || out.size() != sets.size()) {
        throw std::invalid_argument("needed is a probability for each expert, and a set");
    }
    for (const double item : p) {
        if (!(item >= 0 && item <= 2)) throw std::invalid_argument("a probability is out of range");
    }
    for (const std::uint32_t set : sets) static_cast<void>(weights(set));
    for (std::size_t i = 0; i < sets.size(); ++i) {
        const std::span<double> row = std::span(weights_).subspan(sets[i] * experts(), experts());
        const std::span<const double> ours = p.subspan(i * experts(), experts());
        double mean = 0;
        for (std::size_t j = 0; j < experts(); ++j) mean += row[j] * ours[j];
        out[i] = mean;
        // Below, quotients could overflow; a mixture that has a floor never comes there.
        if (learn && mean > 1e-290) this->learn(row, ours, mean, uses_[sets[i]]);
    }
}

}  // namespace spike
