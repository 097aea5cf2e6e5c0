// Threads of one call, and the memory they work in.

#pragma once

#include <cstdlib>
#include <system_error>
#include <thread>
#include <vector>

#include "tiles.h"

namespace {

// Memory that a thread of the caller's keeps from call to call.
float* workspace(Int floats) {
    struct Block {
        float* start = nullptr;
        Int size = 0;
        ~Block() { std::free(start); }
    };
    static thread_local Block block;
    if (floats > block.size) {
        std::free(block.start);
        block.size = (floats + W - 1) / W * W;
        block.start = (float*)std::aligned_alloc(4 * W, block.size * sizeof(float));
        if (!block.start) block.size = 0;
    }
    return block.start;
}

// work(thread, piece) for all pieces; each thread takes a run of them.
template <class Work>
void share(Int pieces, Int threads, Work work) {
    auto run = [&](Int thread) {
        for (Int i = thread * pieces / threads; i < (thread + 1) * pieces / threads; i++)
            work(thread, i);
    };
    std::vector<std::thread> others;
    for (Int i = 1; i < threads; i++) {
        try {
            others.emplace_back(run, i);
        } catch (const std::system_error&) {  // there are too many threads already
            run(i);
        }
    }
    run(0);
    for (auto& other : others) other.join();
}

}  // namespace
