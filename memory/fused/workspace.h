// The memory of one call: the weights laid out, and for each thread a desk and sums of gradients.

#pragma once

#include <cstdlib>

#include "tiles.h"

namespace {

// Memory that a thread of the caller's keeps from call to call; null if there is none.
inline float* kept_memory(Int floats) {
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

template <class Net, class Desk, class Shape>
struct Workspace {
    const Shape& s;
    const float* const* weights;
    bool backwards;
    float* packed;
    Int common, each, gradients = 0;  // floats: of the weights, of a thread, of its sums
    float* base;                  // null if there is no memory

    // For a pass forwards or backwards. `given`, which may be null, has the weights laid out;
    // `more` floats are for each thread beside its desk, and `shared` for all of them.
    Workspace(const Shape& s, const float* const* weights, bool backwards, float* given = nullptr,
              Int shared = 0, Int more = 0)
        : s(s), weights(weights), backwards(backwards), packed(given) {
        Pieces count{nullptr}, own{nullptr};
        if (!packed) gradients = Net(s, weights, backwards, count).gradients;
        if (!backwards) gradients = 0;
        Desk(s, own);
        common = count.used;
        each = own.used + more;
        base = kept_memory(common + s.threads * (each + gradients) + shared);
        if (base) std::memset(sums(0), 0, s.threads * gradients * sizeof(float));
    }
    Net net() const {
        Pieces pieces{packed ? packed : base};
        return Net(s, weights, backwards, pieces, packed);
    }
    // What a thread works in; its desk takes the first of it.
    Pieces pieces(Int thread) const { return Pieces{base + common + thread * each}; }
    Desk desk(Int thread) const {
        Pieces own = pieces(thread);
        return Desk(s, own);
    }
    float* sums(Int thread) const { return base + common + s.threads * each + thread * gradients; }
    float* shared() const { return sums(s.threads); }
};

}  // namespace
