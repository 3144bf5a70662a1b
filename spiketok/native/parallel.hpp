// Parallel loop over independent tasks.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace spike {

// Calls work(task) once for every task of 0 … tasks - 1, on at most `threads` threads (0: one per
// core). After an exception no more tasks are started, and the first one is thrown again here.
template <class Work>
void for_each_task(std::size_t tasks, unsigned threads, Work work) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex failure_lock;
    auto take_tasks = [&] {
        try {
            for (std::size_t task; (task = next.fetch_add(1)) < tasks;) work(task);
        } catch (...) {
            const std::scoped_lock lock(failure_lock);
            if (!failure) failure = std::current_exception();
            next = tasks;
        }
    };
    if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
    const std::size_t wanted = std::min<std::size_t>(threads, tasks);
    {
        std::vector<std::jthread> helpers;
        try {
            for (std::size_t i = 1; i < wanted; ++i) helpers.emplace_back(take_tasks);
        } catch (const std::system_error&) {
            // The system has no more threads: those that run do all the work.
        } catch (const std::bad_alloc&) {
            // Nor memory for one.
        }
        take_tasks();
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace spike
