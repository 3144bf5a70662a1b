// Failing allocator: replaces operator new by one that fails on request and counts live blocks.
// For the drivers under sanitizers and the library that is preloaded into Python; a program or
// library includes it once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

// While `armed`, the allocation that comes after `left_before` others fails, and with `lasting` all
// later ones, too.
inline std::atomic<bool> armed{false}, lasting{false}, failed{false};
inline std::atomic<long> left_before{0}, alive{0};

inline void* allocate(std::size_t size) {
    if (armed) {
        const long before = left_before.fetch_sub(1);
        if (before == 0 || (before < 0 && lasting)) {
            failed = true;
            throw std::bad_alloc();
        }
    }
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc();
    ++alive;
    return memory;
}

inline void release(void* memory) noexcept {
    if (memory != nullptr) --alive;
    std::free(memory);
}

// Not inlined: the compiler would take an inlined one of a pair for a mismatch with the other.
[[gnu::noinline]] void* operator new(std::size_t size) { return allocate(size); }
[[gnu::noinline]] void* operator new[](std::size_t size) { return allocate(size); }
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return allocate(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { release(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { release(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { release(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
