#include "logit_calibration.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#define SPIKE_AVX2 __attribute__((target("avx2")))
#endif
#define SPIKE_INLINE inline __attribute__((always_inline))
#define SPIKE_LAMBDA __attribute__((always_inline))

namespace spike {

namespace {

// Sums are taken in LANES partial sums of blocks, an order that vector instructions keep.
constexpr std::size_t LANES = 16, BLOCK = 256;
constexpr float MIN_LOGIT = -72;             // after the largest was subtracted
constexpr double LOWEST_TEMPERATURE = 0.85;  // MIN_LOGIT / 0.85 is within the range of exp_of

// e^x for -87 <= x <= 0, to two units of the last place: 2^n times a polynomial of the
// remainder (Cody & Waite; Taylor coefficients are enough for |remainder| <= ln 2 / 2).
SPIKE_INLINE float exp_of(float x) {
    constexpr float ROUND = 12582912.0f;  // 1.5 · 2^23: adding it rounds to a whole number
    const float shifted = x * 1.44269504f + ROUND;
    const float n = shifted - ROUND;
    float r = x - n * 0.693359375f;
    r -= n * -2.12194440e-4f;
    float p = 1.98412698e-4f;
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const auto power = (std::bit_cast<std::uint32_t>(shifted) + 127) << 23;
    return p * std::bit_cast<float>(power);
}

// The sum of up to BLOCK numbers.
SPIKE_INLINE double sum_of(const float* items, std::size_t size) {
    double lanes[LANES] = {};
    double sum = 0;
    std::size_t i = 0;
    for (; i + LANES <= size; i += LANES) {
        for (std::size_t j = 0; j < LANES; ++j) lanes[j] += items[i + j];
    }
    for (; i < size; ++i) sum += items[i];
    for (const double lane : lanes) sum += lane;
    return sum;
}

// Sets out[i] = function(i) and returns the sum.
template <class Function>
SPIKE_INLINE double fill(std::span<float> out, Function function) {
    double sum = 0;
    for (std::size_t begin = 0; begin < out.size(); begin += BLOCK) {
        // A local block, which cannot alias what the function reads, so that the loop vectorises.
        float block[BLOCK];
        const std::size_t size = std::min(BLOCK, out.size() - begin);
        for (std::size_t i = 0; i < size; ++i) block[i] = function(begin + i);
        sum += sum_of(block, size);
        std::copy_n(block, size, out.data() + begin);
    }
    return sum;
}

// The largest number; throws where one is not finite.
SPIKE_INLINE float finite_max(std::span<const float> row) {
    float largest[LANES], nonfinite[LANES] = {};
    std::fill_n(largest, LANES, row[0]);
    std::size_t i = 0;
    for (; i + LANES <= row.size(); i += LANES) {
        for (std::size_t j = 0; j < LANES; ++j) {
            largest[j] = row[i + j] > largest[j] ? row[i + j] : largest[j];
            nonfinite[j] += row[i + j] * 0;  // NaN for infinities and NaN
        }
    }
    float found = row[0], sum = 0;
    for (; i < row.size(); ++i) {
        found = std::max(found, row[i]);
        sum += row[i] * 0;
    }
    for (std::size_t j = 0; j < LANES; ++j) {
        found = std::max(found, largest[j]);
        sum += nonfinite[j];
    }
    if (!(sum == 0)) throw std::invalid_argument("a logit is not finite");
    return found;
}

// The dot product.
SPIKE_INLINE double dot(std::span<const float> a, std::span<const float> b) {
    double sum = 0;
    for (std::size_t begin = 0; begin < a.size(); begin += BLOCK) {
        float block[BLOCK];
        const std::size_t size = std::min(BLOCK, a.size() - begin);
        for (std::size_t i = 0; i < size; ++i) block[i] = a[begin + i] * b[begin + i];
        sum += sum_of(block, size);
    }
    return sum;
}

void write_targets(std::span<double> out, std::span<const std::uint32_t> target_ids,
                   std::span<const float> weights, double sum) {
    for (std::size_t k = 0; k < target_ids.size(); ++k) out[k] = weights[target_ids[k]] / sum;
}

// As `calibrated_probabilities`, for sizes that have been checked.
SPIKE_INLINE void all_rows(std::span<const float> logits, std::span<const std::uint32_t> target_ids,
                           std::size_t rows, std::span<const float> bias_factors,
                           const LogitCalibration& settings, const CalibratedProbabilities& out) {
    const std::size_t size = logits.size() / rows, targets = target_ids.size() / rows;
    std::vector<float> shifted(size), weights(size);
    for (std::size_t row = 0; row < rows; ++row) {
        const auto ids = target_ids.subspan(row * targets, targets);
        const float* const row_logits = logits.data() + row * size;
        const float max_logit = finite_max({row_logits, size});
        fill(shifted, [&](std::size_t i) SPIKE_LAMBDA {
            const float x = row_logits[i] - max_logit;
            return x > MIN_LOGIT ? x : MIN_LOGIT;
        });
        double sum = fill(weights, [&](std::size_t i) SPIKE_LAMBDA { return exp_of(shifted[i]); });
        write_targets(out.plain.subspan(row * targets, targets), ids, weights, sum);
        const double weighted_sum = dot(weights, shifted);
        const double entropy = std::max(0.0, std::log(sum) - weighted_sum / sum);
        out.entropies[row] = entropy;
        if (settings.use_temperature) {
            const double certainty =
                1 - entropy / std::log(std::max<double>(2, static_cast<double>(size)));
            const double temperature =
                std::clamp(1 - settings.sharpening * certainty, settings.min_temperature,
                           settings.max_temperature);
            const auto inverse_temperature = static_cast<float>(1 / temperature);
            sum = fill(weights, [&](std::size_t i) SPIKE_LAMBDA {
                return exp_of(shifted[i] * inverse_temperature);
            });
            if (!out.with_temperature.empty())
                write_targets(out.with_temperature.subspan(row * targets, targets), ids, weights,
                              sum);
        }
        if (!bias_factors.empty()) {
            sum = fill(weights,
                       [&](std::size_t i) SPIKE_LAMBDA { return weights[i] * bias_factors[i]; });
        }
        if (!out.with_bias.empty())
            write_targets(out.with_bias.subspan(row * targets, targets), ids, weights, sum);
        if (!out.expected_counts.empty()) {
            const double inverse_sum = 1 / sum;
            for (std::size_t i = 0; i < size; ++i)
                out.expected_counts[i] += weights[i] * inverse_sum;
        }
    }
}

#ifdef SPIKE_AVX2
SPIKE_AVX2 void rows_with_avx2(std::span<const float> logits,
                               std::span<const std::uint32_t> target_ids, std::size_t rows,
                               std::span<const float> bias_factors,
                               const LogitCalibration& settings,
                               const CalibratedProbabilities& out) {
    all_rows(logits, target_ids, rows, bias_factors, settings, out);
}
#endif

}  // namespace

void calibrated_probabilities(std::span<const float> logits,
                              std::span<const std::uint32_t> target_ids, std::size_t rows,
                              std::span<const float> bias_factors, const LogitCalibration& settings,
                              const CalibratedProbabilities& out) {
    if (rows == 0) return;
    const std::size_t size = logits.size() / rows, targets = target_ids.size() / rows;
    const auto fits = [](std::size_t have, std::size_t want) { return have == 0 || have == want; };
    if (size == 0 || logits.size() != rows * size || target_ids.size() != rows * targets ||
        out.plain.size() != target_ids.size() || out.entropies.size() != rows ||
        !fits(out.with_temperature.size(), target_ids.size()) ||
        !fits(out.with_bias.size(), target_ids.size()) || !fits(bias_factors.size(), size) ||
        !fits(out.expected_counts.size(), size)) {
        throw std::invalid_argument("logits, ids and results do not fit each other");
    }
    if (settings.use_temperature && !(settings.min_temperature >= LOWEST_TEMPERATURE &&
                                      settings.max_temperature >= settings.min_temperature)) {
        throw std::invalid_argument("a temperature is out of range");
    }
    if (std::ranges::any_of(target_ids, [&](std::uint32_t id) { return id >= size; })) {
        throw std::invalid_argument("an id is not in the vocabulary");
    }
#ifdef SPIKE_AVX2
    if (settings.use_avx2 && __builtin_cpu_supports("avx2")) {
        rows_with_avx2(logits, target_ids, rows, bias_factors, settings, out);
        return;
    }
#endif
    all_rows(logits, target_ids, rows, bias_factors, settings, out);
}

}  // namespace spike
