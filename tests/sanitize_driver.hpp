// Shared driver of the programs under sanitizers: random numbers, rounds, failing allocations.
// A program includes it once.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "failing_allocator.hpp"

#ifndef GENERATOR
#define GENERATOR std::mt19937
#endif

inline GENERATOR generator;
inline std::size_t below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(generator);
}

// Whether allocations fail in turn; then rounds must be small.
inline bool failing = false;
inline std::size_t at_most(std::size_t large, std::size_t small) { return failing ? small : large; }

inline void require(bool truth, const char* what) {
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

// Calls native code, in which allocations may fail; returns whether none did.
template <class Call>
bool passes(Call call) {
    struct Armed {
        Armed() { armed = failing; }
        ~Armed() { armed = false; }
    };
    try {
        const Armed here;
        call();
        return true;
    } catch (const std::bad_alloc&) {
        if (!failed) throw;
        return false;
    }
}

// The same, and once more after a failure, which must have left all objects usable.
template <class Call>
void attempt(Call call) {
    if (!passes(call)) call();
}

// `driver [SEED [SECONDS]]` runs all works in rounds with the seeds SEED, SEED + 1 … `driver
// failing` runs each work while each of its allocations fails, alone and with all later ones.
inline std::atomic<unsigned> seed{1};

inline void print_seed(int) {
    char line[40];
    const int size = std::snprintf(line, sizeof line, "seed %u\n", seed.load());
    if (write(2, line, static_cast<std::size_t>(size)) < 0) std::abort();
}

using Work = void (*)();

inline void fail_in_turn(Work work, unsigned first_seed) {
    for (const bool all : {false, true}) {
        long turn = 0;
        for (failed = true; failed; ++turn) {
            seed = first_seed;
            generator.seed(first_seed);
            lasting = all;
            failed = false;
            left_before = turn;
            work();
        }
        std::printf("%ld allocations failed%s\n", turn - 1, all ? " with all later ones" : "");
        std::fflush(stdout);
    }
}

extern "C" void __sanitizer_set_death_callback(void (*)()) __attribute__((weak));

inline int drive(int argc, char** argv, unsigned rounds, std::initializer_list<Work> works) {
    std::signal(SIGABRT, print_seed);
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback([] { print_seed(0); });
    failing = argc > 1 && std::strcmp(argv[1], "failing") == 0;
    const auto first =
        static_cast<unsigned>(argc > 1 && !failing ? std::strtoul(argv[1], nullptr, 10) : 1);
    const double seconds = argc > 2 ? std::strtod(argv[2], nullptr) : 0;
    const auto start = std::chrono::steady_clock::now();
    const auto goes_on = [&](unsigned done) {
        if (argc <= 2) return done < rounds;
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() <
               seconds;
    };
    try {
        for (unsigned number = 1; failing && number <= 2; ++number) {
            for (const Work work : works) fail_in_turn(work, number);
        }
        unsigned done = 0;
        for (; !failing && goes_on(done); ++done) {
            seed = first + done;
            generator.seed(seed);
            for (const Work work : works) work();
        }
        if (!failing) std::printf("seeds %u to %u: %u rounds\n", first, first + done - 1, done);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "seed %u: %s\n", seed.load(), error.what());
        return 1;
    }
    return 0;
}
