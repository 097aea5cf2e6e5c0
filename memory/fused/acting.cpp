// One step of an agent in one call: convolutions, a core, heads, and the drawing of actions.
//
// agents/networks/policy.py has the plain code and memory/fused/acting.py the call. The convolutions and
// the core are functions of pictures.cpp and of the core's file. Each element of the batch is
// computed in one order of operations, whatever the batch.

#include <vector>

#include "tiles.h"

typedef int Convolve(const void* shape, const float* const* weights, float* packed,
                     const uint8_t* pictures, float* features, Int stride);
typedef int Core(const void* shape, const float* const* weights, float* packed, const float* x,
                 const float* const* state, const bool* reset, float* outputs, float* const* next,
                 float* scratch);

struct Step {  // as in memory/fused/acting.py
    Int batch, features, maps, planes, spread, outputs, actions, last_action, last_reward, skip;
    Convolve* convolve;
    const void* pictures;
    float* filters;
    Core* core;
    const void* shape;
    const float* const* weights;
    float *packed, *scratch, *seen, *shown;
    const float *policy, *policy_bias, *value, *value_bias;
    float norm;

    // Last action, one-hot, and last reward in [-1, 1], each at all places of a map.
    void write_numbers(Int row, Int action, float reward, bool reset) const {
        float* to = seen + row * features + maps + planes;
        auto write = [&](float x) {
            for (Int i = 0; i < spread; i++) *to++ = reset ? 0 : x;
        };
        for (Int i = 0; last_action && i < actions; i++) write(i == action);
        if (last_reward) write(std::min(std::max(reward, -1.0f), 1.0f));
    }
    void normalise(const float* x, float* to) const {
        float mean = 0, square = 0;
#pragma omp simd reduction(+ : mean)
        for (Int i = 0; i < outputs; i++) mean += x[i];
        mean /= outputs;
#pragma omp simd reduction(+ : square)
        for (Int i = 0; i < outputs; i++) square += (x[i] - mean) * (x[i] - mean);
        float scale = norm / std::sqrt((float)outputs) / std::sqrt(square / outputs + 1e-5f);
        for (Int i = 0; i < outputs; i++) to[i] = (x[i] - mean) * scale;
    }
    // What a head gives for a row of outputs, and of features where it sees them.
    float read(const float* weight, float bias, const float* output, const float* input) const {
        float sum = bias + dot(weight, output, outputs);
        return skip ? sum + dot(weight + outputs, input, features) : sum;
    }
    // By inverse transform.
    Int draw(const float* logits, float uniform) const {
        float most = *std::max_element(logits, logits + actions), sum = 0, below = 0;
        for (Int i = 0; i < actions; i++) sum += exponential(logits[i] - most);
        Int drawn = 0;
        for (Int i = 0; i < actions; i++) {
            below += exponential(logits[i] - most) / sum;
            drawn += below < uniform;
        }
        return std::min(drawn, actions - 1);
    }
};

extern "C" {

// Gives 0, or what the convolutions or the core gave.
int engram_acting_step(const Step* step, const uint8_t* pictures, const int64_t* last_actions,
                       const float* last_rewards, const bool* reset, const float* uniforms,
                       const float* const* state, float* const* next, float* logits, float* values,
                       int64_t* actions) {
    const Step& s = *step;
    int failed = s.convolve(s.pictures, nullptr, s.filters, pictures, s.seen, s.features);
    if (failed) return failed;
    for (Int row = 0; row < s.batch; row++)
        s.write_numbers(row, last_actions[row], last_rewards[row], reset[row]);
    float* outputs = s.shown ? s.shown : next[0];
    failed = s.core(s.shape, s.weights, s.packed, s.seen, state, reset, outputs, next, s.scratch);
    if (failed) return failed;
    Int width = s.outputs + s.skip * s.features;
    std::vector<float> normal(s.norm ? s.outputs : 0);
    for (Int row = 0; row < s.batch; row++, logits += s.actions) {
        const float *output = outputs + row * s.outputs, *input = s.seen + row * s.features;
        if (s.norm) s.normalise(output, normal.data()), output = normal.data();
        for (Int i = 0; i < s.actions; i++)
            logits[i] = s.read(s.policy + i * width, s.policy_bias[i], output, input);
        values[row] = s.read(s.value, *s.value_bias, output, input);
        actions[row] = s.draw(logits, uniforms[row]);
    }
    return 0;
}

}  // extern "C"
