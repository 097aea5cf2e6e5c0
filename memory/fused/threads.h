// Threads of one call.

#pragma once

#include <system_error>
#include <thread>
#include <vector>

#include "tiles.h"

namespace {

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
