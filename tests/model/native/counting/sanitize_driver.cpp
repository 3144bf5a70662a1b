// Driver of n-gram counts and mixing under sanitizers: random and hostile input.

#include "sanitize_driver.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "logit_calibration.hpp"
#include "match_model.hpp"
#include "mixer.hpp"
#include "ngram_counts.hpp"

namespace {

using namespace spike;

std::uint32_t any(std::size_t n) { return static_cast<std::uint32_t>(below(n)); }

// Random ids, in which earlier parts are repeated.
template <class Id>
std::vector<Id> random_row(std::size_t size, std::uint32_t vocab) {
    std::vector<Id> row;
    while (row.size() < size) {
        if (!row.empty() && below(3) == 0) {
            const std::size_t from = below(row.size());
            for (std::size_t i = 0, n = below(80); i < n; ++i) row.push_back(row[from + i]);
        } else {
            row.push_back(static_cast<Id>(below(vocab)));
        }
    }
    return row;
}

std::vector<Discount> random_discounts(unsigned max_context) {
    std::vector<Discount> found(max_context + 1);
    for (Discount& d : found) d = {any(11) / 10., any(21) / 10., any(31) / 10., any(9) / 2.};
    return found;
}

template <class Id>
void score(NgramCounts& counts, std::span<const Id> row, bool learn) {
    const std::size_t size = row.size();
    const std::vector<double> base(size, 1. / counts.vocab_size());
    std::vector<double> p(size * (counts.max_context() + 1));
    std::vector<std::uint32_t> lengths(size), totals(size), distinct(size);
    const auto discounts = random_discounts(counts.max_context());
    std::vector<double> other(below(2) ? size : 0, 0.5), over_other_base(other.size());
    const unsigned min_context = any(3);
    if (!passes([&] {
            counts.score<Id>(row, base, other, discounts, min_context, learn,
                             {p, over_other_base, lengths, totals, distinct});
        }))
        return;
    for (const double item : p) require(item >= 0 && item <= 1 + 1e-9, "that is no probability");
}

void is_distribution(const NgramCounts& counts) {
    const auto discounts = random_discounts(counts.max_context());
    std::vector<double> all(counts.vocab_size() * (counts.max_context() + 1),
                            1. / counts.vocab_size());
    counts.distribution(all, discounts, any(3));
    double sum = 0;
    for (std::size_t i = all.size() - counts.vocab_size(); i < all.size(); ++i) sum += all[i];
    require(std::abs(sum - 1) < 1e-9, "the probabilities do not add up to 1");
}

bool same_counts(const NgramCounts& a, const NgramCounts& b) {
    require(a.bytes() >= 40 * a.ngrams(), "ngrams without memory");
    const auto left = a.pruned(1, UINT32_MAX), right = b.pruned(1, NgramCounts::MAX_CONTEXT);
    return left.parents == right.parents && left.tokens == right.tokens &&
           left.counts == right.counts && left.totals == right.totals &&
           std::ranges::equal(a.counts_of_counts(), b.counts_of_counts());
}

// Counts a row, by learning or by scoring. Where an allocation fails, the tokens before some token
// are counted, and nothing else.
template <class Id>
void count(NgramCounts& counts, std::span<const Id> row) {
    const NgramCounts before = counts;
    if (below(2)) {
        passes([&] { counts.learn<Id>(row); });
    } else {
        score(counts, row, true);
    }
    for (std::size_t learned = row.size() + 1; learned-- > 0;) {
        NgramCounts plain = before;
        plain.learn<Id>(row.first(learned));
        if (same_counts(plain, counts)) return counts.learn<Id>(row.subspan(learned));
        require(failing, "learning and scoring count differently");
    }
    require(false, "a token is counted in part");
}

template <class Id>
void counting_of(std::uint32_t vocab) {
    std::optional<NgramCounts> counts;
    const unsigned max_context = any(below(8) ? 12 : 65);
    attempt([&] { counts.emplace(vocab, max_context, below(2) == 0); });
    if (failing) {
        // The tables are about to grow.
        std::vector<Id> row((below(2) ? 680 : 1'022) - below(20));
        std::iota(row.begin(), row.end(), Id{0});
        counts->learn<Id>(row);
    }
    for (int part = 0; part < 4; ++part) {
        if (below(4) == 0) attempt([&] { counts->reserve(below(5'000)); });
        const auto row = random_row<Id>(below(at_most(below(8) ? 300 : 3'000, 300)), vocab);
        count<Id>(*counts, row);
        is_distribution(*counts);
        if (below(3) == 0) score<Id>(*counts, row, false);
        if (below(3) == 0) attempt([&] { counts->restart(); });
    }
    std::optional<NgramCounts> copy;
    attempt([&] { copy.emplace(*counts); });
    require(same_counts(*copy, *counts), "a copy has other counts");
    NgramCounts::PrunedNgrams kept;
    const std::uint32_t min_count = 1 + any(3);
    attempt([&] { kept = counts->pruned(min_count, any(13)); });
    NgramCounts again(vocab, max_context, below(2) == 0);
    try {
        attempt([&] { again.load({kept.parents, kept.tokens, kept.counts, kept.totals}); });
    } catch (const std::invalid_argument&) {
        require(failed, "pruned counts cannot be loaded");
    }
    count<Id>(again, random_row<Id>(at_most(500, 40), vocab));
    is_distribution(again);
    auto broken = kept;
    for (auto* part : {&broken.parents, &broken.tokens, &broken.counts, &broken.totals}) {
        if (!part->empty())
            (*part)[below(part->size())] = below(2) ? any(1000) : UINT32_MAX - any(2);
        if (below(20) == 0) part->resize(below(part->size() + 1));
    }
    NgramCounts hostile(vocab, any(12), true);
    try {
        hostile.load({broken.parents, broken.tokens, broken.counts, broken.totals});
    } catch (const std::invalid_argument&) {
    }
    // Counts whose loading failed in the middle must not be used, but must not crash.
    const auto row = random_row<Id>(at_most(500, 40), vocab);
    score<Id>(hostile, row, true);
}

void counting() {
    const std::uint32_t vocab = failing ? 3'000 : 1 + any(below(2) ? 6 : 3'000);
    if (below(2)) {
        counting_of<std::uint16_t>(vocab);
    } else {
        counting_of<std::uint32_t>(vocab);
    }
}

struct Matches {
    explicit Matches(std::size_t size) : tokens(size), distinct(size), confidences(size) {}
    std::vector<std::uint32_t> tokens, distinct;
    std::vector<double> confidences;
    bool operator==(const Matches&) const = default;
};

template <class Id>
Matches read(MatchModel& model, std::span<const Id> row, bool learn) {
    Matches matches(row.size());
    model.predict<Id>(row, learn, matches.tokens, matches.distinct, matches.confidences);
    for (const double confidence : matches.confidences)
        require(confidence >= 0 && confidence <= 1, "that is no confidence");
    return matches;
}

// The matches by a look at all that was learned.
template <class Id>
void match_model_of(std::uint32_t vocab) {
    std::vector<std::uint32_t> lengths;
    for (std::uint32_t n = 1 + any(6); n < 50; n += 1 + any(16)) lengths.push_back(n);
    if (below(8) == 0) lengths.push_back(MatchModel::MAX_LENGTH);
    std::optional<MatchModel> model;
    attempt([&] { model.emplace(vocab, lengths); });
    for (int part = 0; part < 5; ++part) {
        const auto row = random_row<Id>(below(at_most(3'000, 500)), vocab);
        const bool learn = below(3) != 0;
        const MatchModel before = *model;
        if (!passes([&] { read<Id>(*model, row, learn); })) {
            // The tokens before some token were added, and nothing else.
            bool found = false;
            for (std::size_t size = 0; size <= row.size() && !found; ++size) {
                MatchModel plain = before, failed = *model;
                read<Id>(plain, std::span(row).first(size), learn);
                found = read<Id>(plain, row, true) == read<Id>(failed, row, true);
            }
            require(found, "a token is read in part");
        }
        require(model->bytes() > 4 * row.size(), "tokens without memory");
        const MatchModel::Match match = model->predict_next();
        require(match.confidence <= 1 &&
                    (match.length_index == MatchModel::NONE || match.token < vocab),
                "that is no match");
        if (below(3) == 0) model->restart();
    }
}

void model() {
    const std::uint32_t vocab = 1 + any(below(2) ? 6 : 3'000);
    if (below(2)) {
        match_model_of<std::uint16_t>(vocab);
    } else {
        match_model_of<std::uint32_t>(vocab);
    }
}

void mixing() {
    const std::size_t experts = 1 + below(6), size = below(at_most(2'000, 50)), sets = 1 + below(9);
    const std::vector<double> first(experts, 1. / static_cast<double>(experts));
    std::optional<Mixer> mixer;
    const double min_rate = any(11) / 10., fixed_share = any(11) / 1000.;
    attempt([&] { mixer.emplace(sets, first, min_rate, fixed_share); });
    std::vector<double> p(size * experts), mixed(size);
    for (double& item : p)
        item = below(4) ? any(1000) / 1000. : std::pow(10., -static_cast<double>(below(330)));
    std::vector<std::uint32_t> chosen(size);
    for (auto& set : chosen) set = any(sets);
    mixer->score(p, chosen, below(4) != 0, mixed);
    for (std::uint32_t set = 0; set < sets; ++set) {
        double sum = 0;
        for (const double weight : mixer->weights(set)) sum += weight;
        require(std::abs(sum - 1) < 1e-9, "the weights do not add up to 1");
    }
    must_refuse([&] { mixer->weights(static_cast<std::uint32_t>(sets) + any(3)); },
                "a set that is not there");
    chosen.push_back(static_cast<std::uint32_t>(sets));
    must_refuse([&] { mixer->score(p, chosen, true, mixed); }, "a set without probabilities");
    p.resize(p.size() + experts);
    mixed.push_back(0);
    must_refuse([&] { mixer->score(p, chosen, true, mixed); }, "a set that is not there was used");
}

// Logits of all sizes, with and without AVX2; then arguments that do not fit.
void calibration() {
    const std::size_t rows = 1 + below(3), size = 1 + below(at_most(600, 60)), columns = below(3);
    std::vector<float> logits(rows * size), bias_factors(below(2) ? size : 0, 1.5f);
    for (float& logit : logits) logit = static_cast<float>(any(100'000)) / 2'000 - 25;
    if (below(8) == 0) logits[below(logits.size())] = below(2) ? 3e38f : -3e38f;
    std::vector<std::uint32_t> target_ids(rows * columns);
    for (std::uint32_t& id : target_ids) id = any(size);
    std::vector<double> plain(target_ids.size()),
        with_temperature(below(2) ? target_ids.size() : 0),
        with_bias(below(2) ? target_ids.size() : 0);
    std::vector<double> expected_counts(below(2) ? size : 0), other(target_ids.size()),
        entropies(rows);
    LogitCalibration settings{below(2) == 0, any(31) / 10. - 1, 0.85 + any(3) / 10.,
                              1.05 + any(3) / 10., true};
    const auto run = [&](std::vector<double>& out) {
        calibrated_probabilities(logits, target_ids, rows, bias_factors, settings,
                                 {out, with_temperature, with_bias, entropies, expected_counts});
    };
    attempt([&] { run(plain); });
    settings.use_avx2 = false;
    attempt([&] { run(other); });
    require(plain == other, "AVX2 gives other numbers");
    must_refuse(
        [&] {
            calibrated_probabilities(logits, target_ids, rows, bias_factors, settings,
                                     {plain, with_temperature, with_bias, {}, expected_counts});
        },
        "entropies without room");
    calibrated_probabilities(logits, target_ids, 0, bias_factors, settings,
                             {plain, with_temperature, with_bias, entropies, expected_counts});
    if (settings.use_temperature) {
        settings.min_temperature = 0.8;
        must_refuse([&] { run(plain); }, "a temperature that is too low");
        settings.min_temperature = 0.9;
    }
    logits[below(logits.size())] = below(2) ? std::nanf("") : INFINITY;
    must_refuse([&] { run(plain); }, "a logit that is no number");
    if (target_ids.empty()) return;
    target_ids[below(target_ids.size())] = static_cast<std::uint32_t>(size) + any(9);
    must_refuse([&] { run(plain); }, "an id that has no logit");
}

void hostile() {
    const std::vector<std::uint32_t> ids{1, 9}, falling{4, 3},
        long_ones{1, MatchModel::MAX_LENGTH + 1};
    std::vector<double> room(2), base(2);
    std::vector<std::uint32_t> a(2), b(2), c(2);
    NgramCounts counts(5, 0, true);
    const std::vector<Discount> good(1), many(2), bad{{2, 0, 0, 0}};
    must_refuse([&] { counts.learn<std::uint32_t>(ids); }, "an id was too large");
    must_refuse(
        [&] { counts.score<std::uint32_t>(ids, base, {}, good, 0, true, {room, {}, a, b, c}); },
        "an id was too large");
    must_refuse(
        [&] { counts.score<std::uint32_t>(ids, {}, {}, good, 0, true, {room, {}, a, b, c}); },
        "there was no base");
    must_refuse([&] { counts.score<std::uint32_t>({}, {}, {}, many, 0, true, {}); },
                "there were too many discounts");
    must_refuse([&] { counts.score<std::uint32_t>({}, {}, {}, bad, 0, true, {}); },
                "a discount was too large");
    must_refuse([&] { counts.load({{}, {}, {}, ids}); }, "a total too many");
    const std::vector<std::uint32_t> zero{0}, three{3}, totals{2, 0};
    must_refuse([&] { NgramCounts(5, 0, true).load({zero, three, three, totals}); },
                "a total too small");
    must_refuse([&] { counts.distribution(room, good, 0); }, "there was no room");
    must_refuse([&] { NgramCounts(5, 65, true); }, "contexts were too long");
    must_refuse([&] { NgramCounts(0, 5, true); }, "there was no vocabulary");
    MatchModel model(5, std::vector<std::uint32_t>{2, 4});
    std::vector<double> confidences(2);
    must_refuse([&] { model.predict<std::uint32_t>(ids, true, a, b, confidences); },
                "an id was too large for matches");
    must_refuse([&] { model.predict<std::uint32_t>(ids, true, a, b, {}); },
                "there was no room for matches");
    must_refuse([&] { MatchModel(5, falling); }, "lengths fell");
    must_refuse([&] { MatchModel(5, long_ones); }, "a length was too large");
    must_refuse([&] { MatchModel(5, {}); }, "there were no lengths");
    must_refuse([&] { MatchModel(UINT32_MAX, ids); }, "the vocabulary was too large");
    const std::vector<double> one{1}, two{0.5, 0.5}, negative{1.5, -0.5};
    must_refuse([&] { Mixer(1, room, 0, 0); }, "weights were 0");
    must_refuse([&] { Mixer(1, negative, 0, 0); }, "a weight was negative");
    must_refuse([&] { Mixer(1, one, 2, 0); }, "a rate was too large");
    must_refuse([&] { Mixer(0, one, 0, 0); }, "there were no sets");
    // Refused before there is memory for them.
    must_refuse([&] { Mixer(below(2) ? SIZE_MAX : std::size_t{1} << (40 + below(20)), one, 0, 0); },
                "too many sets");
    Mixer mixer(1, two, 0, 0);
    std::vector<double> out(1), large{3, 0};
    must_refuse([&] { mixer.score(large, std::vector<std::uint32_t>{0}, true, out); },
                "a probability was 3");
}

}  // namespace

int main(int argc, char** argv) {
    return drive(argc, argv, 100, {counting, model, mixing, calibration, hostile});
}
