// Failing allocator to be preloaded into Python.

#include "failing_allocator.hpp"

// Lets the allocation after this many others fail, or none below 0. Returns how many allocations
// were left before the one that should have failed, below 0 where it has.
extern "C" long fail_after(long allocations) {
    armed = allocations >= 0;
    return left_before.exchange(allocations);
}
extern "C" long count_alive() { return alive; }
