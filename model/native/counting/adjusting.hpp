// Turns a network's logits into probabilities, sharpened by entropy and raised id by id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace spike {

struct Adjusting {
    bool heat;  // whether there is a temperature, 1 - sharpening · (1 - H / ln V), within least …
                // most
    double sharpening, least, most;
    bool wide;  // whether AVX2 is used where there is any; the numbers are the same to the bit
};

// What becomes of n rows of logits. Of ids that are asked, m in each row: their probabilities in
// plain [n · m], with the temperature in heated, and with that and the raises in raised; the last
// two may be empty. Entropies [n] are of the plain ones, in nats. Where expected [V] is not empty,
// the raised probabilities of all ids are added to it, row after row.
struct Adjusted {
    std::span<double> plain, heated, raised, entropies, expected;
};

// `raises` [V] are what weights are multiplied by, empty for ones. Nothing gets less than e^-85 of
// what the likeliest id gets. Throws std::invalid_argument where sizes do not fit, an id is not in
// the vocabulary or a logit is not finite.
void adjust(std::span<const float> logits, std::span<const std::uint32_t> asked, std::size_t rows,
            std::span<const float> raises, const Adjusting& settings, const Adjusted& out);

}  // namespace spike
