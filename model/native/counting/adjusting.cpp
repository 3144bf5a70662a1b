#include "adjusting.hpp"

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

// Sums are taken in so many lanes, in an order that no compiler changes.
constexpr std::size_t LANES = 16, BLOCK = 256;
constexpr float LEAST = -72;
constexpr double COOLEST = 0.85;  // by which LEAST may be divided

// e^x for -87 <= x <= 0, to two units of the last place: 2^n times a polynomial of the rest
// (Cody & Waite; coefficients of Taylor's series are enough for |rest| <= ln 2 / 2).
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

// Writes work(i) to each place and returns the sum.
template <class Work>
SPIKE_INLINE double fill(std::span<float> out, Work work) {
    double sum = 0;
    for (std::size_t begin = 0; begin < out.size(); begin += BLOCK) {
        // A block of its own, which nothing that work reads can overlap.
        float block[BLOCK];
        const std::size_t size = std::min(BLOCK, out.size() - begin);
        for (std::size_t i = 0; i < size; ++i) block[i] = work(begin + i);
        sum += sum_of(block, size);
        std::copy_n(block, size, out.data() + begin);
    }
    return sum;
}

// The greatest number; throws where one is not finite.
SPIKE_INLINE float greatest(std::span<const float> row) {
    float most[LANES], odd[LANES] = {};
    std::fill_n(most, LANES, row[0]);
    std::size_t i = 0;
    for (; i + LANES <= row.size(); i += LANES) {
        for (std::size_t j = 0; j < LANES; ++j) {
            most[j] = row[i + j] > most[j] ? row[i + j] : most[j];
            odd[j] += row[i + j] * 0;  // NaN for what is not finite
        }
    }
    float found = row[0], sum = 0;
    for (; i < row.size(); ++i) {
        found = std::max(found, row[i]);
        sum += row[i] * 0;
    }
    for (std::size_t j = 0; j < LANES; ++j) {
        found = std::max(found, most[j]);
        sum += odd[j];
    }
    if (!(sum == 0)) throw std::invalid_argument("a logit is not finite");
    return found;
}

// The sum of products.
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

void put(std::span<double> out, std::span<const std::uint32_t> asked,
         std::span<const float> weights, double sum) {
    for (std::size_t k = 0; k < asked.size(); ++k) out[k] = weights[asked[k]] / sum;
}

// What `adjust` says, for sizes that have been checked.
SPIKE_INLINE void all_rows(std::span<const float> logits, std::span<const std::uint32_t> asked,
                           std::size_t rows, std::span<const float> raises,
                           const Adjusting& settings, const Adjusted& out) {
    const std::size_t size = logits.size() / rows, columns = asked.size() / rows;
    std::vector<float> below(size), weights(size);
    for (std::size_t row = 0; row < rows; ++row) {
        const auto ids = asked.subspan(row * columns, columns);
        const float* const given = logits.data() + row * size;
        const float top = greatest({given, size});
        fill(below, [&](std::size_t i) SPIKE_LAMBDA {
            const float x = given[i] - top;
            return x > LEAST ? x : LEAST;
        });
        double sum = fill(weights, [&](std::size_t i) SPIKE_LAMBDA { return exp_of(below[i]); });
        put(out.plain.subspan(row * columns, columns), ids, weights, sum);
        const double lost = dot(weights, below);
        const double entropy = std::max(0.0, std::log(sum) - lost / sum);
        out.entropies[row] = entropy;
        if (settings.heat) {
            const double certain =
                1 - entropy / std::log(std::max<double>(2, static_cast<double>(size)));
            const double heat =
                std::clamp(1 - settings.sharpening * certain, settings.least, settings.most);
            const auto turn = static_cast<float>(1 / heat);
            sum =
                fill(weights, [&](std::size_t i) SPIKE_LAMBDA { return exp_of(below[i] * turn); });
            if (!out.heated.empty())
                put(out.heated.subspan(row * columns, columns), ids, weights, sum);
        }
        if (!raises.empty()) {
            sum = fill(weights, [&](std::size_t i) SPIKE_LAMBDA { return weights[i] * raises[i]; });
        }
        if (!out.raised.empty()) put(out.raised.subspan(row * columns, columns), ids, weights, sum);
        if (!out.expected.empty()) {
            const double share = 1 / sum;
            for (std::size_t i = 0; i < size; ++i) out.expected[i] += weights[i] * share;
        }
    }
}

#ifdef SPIKE_AVX2
SPIKE_AVX2 void wide_rows(std::span<const float> logits, std::span<const std::uint32_t> asked,
                          std::size_t rows, std::span<const float> raises,
                          const Adjusting& settings, const Adjusted& out) {
    all_rows(logits, asked, rows, raises, settings, out);
}
#endif

}  // namespace

void adjust(std::span<const float> logits, std::span<const std::uint32_t> asked, std::size_t rows,
            std::span<const float> raises, const Adjusting& settings, const Adjusted& out) {
    if (rows == 0) return;
    const std::size_t size = logits.size() / rows, columns = asked.size() / rows;
    const auto fits = [](std::size_t have, std::size_t want) { return have == 0 || have == want; };
    if (size == 0 || logits.size() != rows * size || asked.size() != rows * columns ||
        out.plain.size() != asked.size() || out.entropies.size() != rows ||
        !fits(out.heated.size(), asked.size()) || !fits(out.raised.size(), asked.size()) ||
        !fits(raises.size(), size) || !fits(out.expected.size(), size)) {
        throw std::invalid_argument("logits, ids and results do not fit each other");
    }
    if (settings.heat && !(settings.least >= COOLEST && settings.most >= settings.least)) {
        throw std::invalid_argument("a temperature is out of range");
    }
    if (std::ranges::any_of(asked, [&](std::uint32_t id) { return id >= size; })) {
        throw std::invalid_argument("an id is not in the vocabulary");
    }
#ifdef SPIKE_AVX2
    if (settings.wide && __builtin_cpu_supports("avx2")) {
        wide_rows(logits, asked, rows, raises, settings, out);
        return;
    }
#endif
    all_rows(logits, asked, rows, raises, settings, out);
}

}  // namespace spike
