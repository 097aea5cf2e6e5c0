// One step of a row of LSTM units, from the sums of their gates, and its gradient.
//
// Gates lie in the order input, forget, candidate, output, n of each.

#pragma once

#include "tiles.h"

namespace {

// The sums become gates. `next`, which may be `old`, is the cell after the step.
inline void step_cell(Int n, float* gates, const float* old, float* next, float* out) {
    float *write = gates, *keep = write + n, *value = keep + n, *show = value + n;
#pragma omp simd
    for (Int c = 0; c < n; c++) {
        write[c] = sigmoid(write[c]), keep[c] = sigmoid(keep[c]);
        value[c] = tangent(value[c]), show[c] = sigmoid(show[c]);
        next[c] = keep[c] * old[c] + write[c] * value[c];
        out[c] = show[c] * tangent(next[c]);
    }
}

// Gives the gradients of the sums. `d_cell` is that of the cell after the step, then of `old`.
inline void step_cell_back(Int n, const float* gates, const float* old, const float* next,
                           const float* d_out, float* d_cell, float* d_gates) {
    const float *write = gates, *keep = write + n, *value = keep + n, *show = value + n;
    float *d_write = d_gates, *d_keep = d_write + n, *d_value = d_keep + n, *d_show = d_value + n;
#pragma omp simd
    for (Int c = 0; c < n; c++) {
        float i = write[c], f = keep[c], g = value[c], o = show[c], t = tangent(next[c]);
        float by_cell = d_cell[c] + d_out[c] * o * (1 - t * t);
        d_write[c] = by_cell * g * i * (1 - i);
        d_keep[c] = by_cell * old[c] * f * (1 - f);
        d_value[c] = by_cell * i * (1 - g * g);
        d_show[c] = d_out[c] * t * o * (1 - o);
        d_cell[c] = by_cell * f;
    }
}

}  // namespace
