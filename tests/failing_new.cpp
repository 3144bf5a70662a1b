// Preloaded into Python: lets operator new fail, and counts what is not given back.

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> left{-1};  // allocations before the one that fails; below 0: none fails
std::atomic<long> alive{0};

void* allocate(std::size_t size) {
    if (left >= 0 && left-- == 0) throw std::bad_alloc();
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc();
    ++alive;
    return memory;
}

void give_back(void* memory) {
    if (memory != nullptr) --alive;
    std::free(memory);
}

}  // namespace

// Returns how many allocations were left before the one that was to fail.
extern "C" long fail_after(long allocations) { return left.exchange(allocations); }
extern "C" long count_alive() { return alive; }

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
