// Runs counting and mixing on random and hostile input; the sanitizers stop them at the first fault.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <vector>

#include "adjusting.hpp"
#include "context_counts.hpp"
#include "mixture.hpp"
#include "repeats.hpp"

namespace {

using namespace spike;

std::mt19937 generator(1);
std::uint32_t below(std::uint32_t n) { return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(generator); }

void require(bool truth, const char* what) {
    if (!truth) throw std::runtime_error(what);
}

template <class Work>
void must_refuse(Work work, const char* what) {
    try {
        work();
    } catch (const std::invalid_argument&) {
        return;
    }
    throw std::runtime_error(what);
}

// Random ids, in which parts of what came before come again.
template <class Id>
std::vector<Id> random_row(std::size_t size, std::uint32_t vocab) {
    std::vector<Id> row;
    while (row.size() < size) {
        if (!row.empty() && below(3) == 0) {
            const std::size_t from = below(static_cast<std::uint32_t>(row.size()));
            for (std::size_t i = 0, n = below(80); i < n; ++i) row.push_back(row[from + i]);
        } else {
            row.push_back(static_cast<Id>(below(vocab)));
        }
    }
    return row;
}

std::vector<Discount> random_discounts(unsigned longest) {
    std::vector<Discount> found(longest + 1);
    for (Discount& d : found) d = {below(11) / 10., below(21) / 10., below(31) / 10., below(9) / 2.};
    return found;
}

template <class Id>
void score(ContextCounts& counts, const std::vector<Id>& row, bool learn) {
    const std::size_t size = row.size();
    const std::vector<double> base(size, 1. / counts.vocab_size());
    std::vector<double> p(size * (counts.longest() + 1));
    std::vector<std::uint32_t> lengths(size), totals(size), kinds(size);
    const auto discounts = random_discounts(counts.longest());
    std::vector<double> other(below(2) ? size : 0, 0.5), over(other.size());
    counts.score<Id>(row, base, other, discounts, below(3), learn, {p, over, lengths, totals, kinds});
    for (const double item : p) require(item >= 0 && item <= 1 + 1e-9, "that is no probability");
    std::vector<double> all(counts.vocab_size() * (counts.longest() + 1), 1. / counts.vocab_size());
    counts.distribution(all, discounts, below(3));
    double sum = 0;
    for (std::size_t i = all.size() - counts.vocab_size(); i < all.size(); ++i) sum += all[i];
    require(std::abs(sum - 1) < 1e-9, "the probabilities do not add up to 1");
}

template <class Id>
void counting(std::uint32_t vocab) {
    ContextCounts counts(vocab, below(12), below(2) == 0);
    for (int part = 0; part < 4; ++part) {
        const auto row = random_row<Id>(1 + below(3'000), vocab);
        if (below(2) == 0) counts.learn<Id>(row);
        score(counts, row, below(2) == 0);
        if (below(3) == 0) counts.restart();
    }
    const auto kept = counts.keep(1 + below(3), below(13));
    ContextCounts again(vocab, counts.longest(), below(2) == 0);
    again.load({kept.parents, kept.tokens, kept.counts, kept.totals});
    score(again, random_row<Id>(500, vocab), true);
    auto broken = kept;
    for (auto* part : {&broken.parents, &broken.tokens, &broken.counts, &broken.totals}) {
        if (!part->empty()) (*part)[below(static_cast<std::uint32_t>(part->size()))] = below(2) ? below(1000) : UINT32_MAX - below(2);
    }
    try {
        ContextCounts hostile(vocab, below(12), true);
        hostile.load({broken.parents, broken.tokens, broken.counts, broken.totals});
        score(hostile, random_row<Id>(500, vocab), true);
    } catch (const std::invalid_argument&) {
    }
}

template <class Id>
void repeats(std::uint32_t vocab) {
    std::vector<std::uint32_t> lengths;
    for (std::uint32_t n = 1 + below(6); n < 50; n += 1 + below(16)) lengths.push_back(n);
    Repeats repeats(vocab, lengths);
    for (int part = 0; part < 5; ++part) {
        const auto row = random_row<Id>(1 + below(3'000), vocab);
        std::vector<std::uint32_t> tokens(row.size()), kinds(row.size());
        std::vector<double> trusts(row.size());
        repeats.read<Id>(row, below(3) != 0, tokens, kinds, trusts);
        require(repeats.hint().trust <= 1, "that is no trust");
        if (below(3) == 0) repeats.restart();
    }
}

void mixing() {
    const std::size_t experts = 1 + below(6), size = below(2'000);
    const std::vector<double> first(experts, 1. / static_cast<double>(experts));
    Mixture mixture(1 + below(9), first, below(11) / 10., below(11) / 1000.);
    std::vector<double> p(size * experts), mixed(size);
    for (double& item : p) item = below(4) ? below(1000) / 1000. : std::pow(10., -static_cast<double>(below(330)));
    mixture.score(p, std::vector<std::uint32_t>(size), true, mixed);
    double sum = 0;
    for (const double weight : mixture.weights(0)) sum += weight;
    require(std::abs(sum - 1) < 1e-9, "the weights do not add up to 1");
}

void hostile() {
    const std::vector<std::uint32_t> ids{1, 9}, falling{4, 3};
    std::vector<double> room(2), base(2);
    std::vector<std::uint32_t> a(2), b(2), c(2);
    ContextCounts counts(5, 0, true);
    const std::vector<Discount> good(1), many(2), bad{{2, 0, 0, 0}};
    must_refuse([&] { counts.learn<std::uint32_t>(ids); }, "an id was too large");
    must_refuse([&] { counts.score<std::uint32_t>(ids, base, {}, good, 0, true, {room, {}, a, b, c}); }, "an id was too large");
    must_refuse([&] { counts.score<std::uint32_t>(ids, {}, {}, good, 0, true, {room, {}, a, b, c}); }, "there was no base");
    must_refuse([&] { counts.score<std::uint32_t>({}, {}, {}, many, 0, true, {}); }, "there were too many discounts");
    must_refuse([&] { counts.score<std::uint32_t>({}, {}, {}, bad, 0, true, {}); }, "a discount was too large");
    must_refuse([&] { counts.distribution(room, good, 0); }, "there was no room");
    must_refuse([&] { ContextCounts(5, 65, true); }, "contexts were too long");
    must_refuse([&] { Repeats(5, falling); }, "lengths fell");
    must_refuse([&] { Repeats(5, {}); }, "there were no lengths");
    must_refuse([&] { Mixture(1, room, 0, 0); }, "weights were 0");
    must_refuse([&] { Mixture(0, std::vector<double>{1}, 0, 0); }, "there were no sets");
}

}  // namespace

// Logits of all sizes, through both paths; then what does not fit.
void adjusting() {
    const std::size_t rows = 1 + below(3), size = 1 + below(600), columns = below(3);
    std::normal_distribution<float> draw(0, 8);
    std::vector<float> logits(rows * size), raises(below(2) ? size : 0, 1.5f);
    for (float& logit : logits) logit = draw(generator);
    std::vector<std::uint32_t> asked(rows * columns);
    for (std::uint32_t& id : asked) id = below(static_cast<std::uint32_t>(size));
    std::vector<double> plain(asked.size()), heated(asked.size()), raised(asked.size()), entropies(rows);
    std::vector<double> expected(below(2) ? size : 0), other(asked.size());
    Adjusting settings{below(2) == 0, 0.15, 0.9, 1.05, true};
    adjust(logits, asked, rows, raises, settings, {plain, heated, raised, entropies, expected});
    settings.wide = false;
    adjust(logits, asked, rows, raises, settings, {other, heated, raised, entropies, expected});
    require(plain == other, "AVX2 gives other numbers");
    must_refuse([&] { adjust(logits, asked, rows, raises, settings, {plain, heated, raised, {}, expected}); },
                "entropies without room");
    logits[below(static_cast<std::uint32_t>(logits.size()))] = std::nanf("");
    must_refuse([&] { adjust(logits, asked, rows, raises, settings, {plain, heated, raised, entropies, expected}); },
                "a logit that is no number");
}

int main() {
    try {
        for (int round = 0; round < 60; ++round) {
            const std::uint32_t vocab = 1 + below(below(2) ? 6 : 3'000);
            counting<std::uint16_t>(vocab);
            counting<std::uint32_t>(vocab);
            repeats<std::uint16_t>(vocab);
            repeats<std::uint32_t>(vocab);
            mixing();
            adjusting();
        }
        hostile();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
