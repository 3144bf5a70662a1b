// Logit calibration: softmax of logits with a temperature by entropy and a bias for each id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace spike {

struct LogitCalibration {
    // Whether there is a temperature, 1 - sharpening · (1 - H / ln V), clamped to min … max.
    bool use_temperature;
    double sharpening, min_temperature, max_temperature;
    bool use_avx2;  // where the processor has it; the results are the same to the bit
};

// Results of n rows of logits with m target ids each: the probabilities of the target ids [n · m],
// plain, with the temperature, and with temperature and bias; the last two may be empty. Entropies
// [n] are of the plain distributions, in nats. Where expected_counts [V] is not empty, the
// distributions with temperature and bias are added to it, row after row.
struct CalibratedProbabilities {
    std::span<double> plain, with_temperature, with_bias, entropies, expected_counts;
};

// `bias_factors` [V] are e^bias, by which the exponentials are multiplied, or empty for no bias. A
// logit of 72 or more below the largest is taken as 72 below, so no probability is less than e^-85
// of the largest (72 / 0.85, at the lowest temperature) before the bias. Throws
// std::invalid_argument where sizes do not fit, an id is not in the vocabulary or a logit is not
// finite.
//
// Claim: the results do not depend on the rows in a call, the compiler's vector width or AVX2.
// Reason: each row is computed alone, and sums are taken in LANES partial sums of blocks in a fixed
// order, which vector instructions keep; the build forbids fused operations (-ffp-contract=off).
void calibrated_probabilities(std::span<const float> logits,
                              std::span<const std::uint32_t> target_ids, std::size_t rows,
                              std::span<const float> bias_factors, const LogitCalibration& settings,
                              const CalibratedProbabilities& out);

}  // namespace spike
