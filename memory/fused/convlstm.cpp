// A convolutional LSTM over a whole sequence, forward and backward, in float32; products of matrices
// in bfloat16, where `halves` says so.
//
// memory/cores/convlstm.py has the formulas and memory/fused/convlstm.py the call. A row is a place of
// a map, with the channels of the input and of the hidden map side by side. A place of the kernel (a
// tap) is a linear layer from the rows that it sees to the rows of gates; what it would see beyond
// the edge is left out. The batch is cut into tiles; a thread takes a tile through all steps, so that
// the threads meet once per sequence.
//
// Each element of the batch is computed in one order of operations, whatever the tiles: the forward
// pass is the same bit for bit for any batch, any number of threads, and any cut of the sequence.

#include <vector>

#include "lstm_cell.h"
#include "threads.h"
#include "workspace.h"

struct Shape {  // as in memory/fused/convlstm.py
    Int steps, batch, features, channels, height, width, kernel, threads, halves;
    Int places() const { return height * width; }
    Int seen() const { return features + channels; }  // numbers of a row
    Int gates() const { return padded(4 * channels); }  // length of a row of them
    Int taps() const { return kernel * kernel; }
    Int tiles() const {
        Int most = std::max<Int>(1, 256 / places());
        Int count = (batch + most - 1) / most;
        return std::min(batch, (count + threads - 1) / threads * threads);
    }
    Int tile() const { return (batch + tiles() - 1) / tiles(); }
};

namespace {

// Rows between which a tap lies, those of the first elements of a tile first.
struct Tap {
    std::vector<Int> from, to;

    Tap(const Shape& s, Int tap) {
        Int before = (s.kernel - 1) / 2, down = tap / s.kernel - before;
        Int right = tap % s.kernel - before;
        for (Int e = 0; e < s.tile(); e++)
            for (Int y = std::max<Int>(0, -down); y < s.height - std::max<Int>(0, down); y++)
                for (Int x = std::max<Int>(0, -right); x < s.width - std::max<Int>(0, right); x++) {
                    to.push_back(e * s.places() + y * s.width + x);
                    from.push_back(to.back() + down * s.width + right);
                }
    }
    Listed rows(const Shape& s, Int elements) const {
        return {(Int)from.size() / s.tile() * elements, from.data(), to.data()};
    }
};

struct Net {
    std::vector<Linear> layers;
    std::vector<Tap> taps;
    Int centre, gradients = 0;  // the tap that sees the row itself; it has the bias

    // From weights, unless they were `packed` there before.
    Net(const Shape& s, const float* const* weights, bool backwards, Pieces& pieces,
        bool packed = false)
        : centre((s.kernel - 1) / 2 * (s.kernel + 1)) {
        Int in = s.seen(), out = 4 * s.channels;
        for (Int tap = 0; tap < s.taps(); tap++) {
            Linear l{in, out, 0, tap * out * in, in, tap == centre, nullptr, nullptr, nullptr, 0, false};
            l.halves = s.halves;
            l.ahead = backwards ? nullptr : pieces.take(in * padded(out));
            l.back = backwards ? pieces.take(out * padded(in)) : nullptr;
            l.bias = backwards ? nullptr : pieces.take(padded(out));
            l.gradient = gradients;
            gradients += padded(in) * out + out;
            if (pieces.base && !packed) l.pack(weights[0], weights[1], backwards);
            layers.push_back(l);
            if (pieces.base) taps.emplace_back(s, tap);
        }
    }

    // work(layer, rows) for all taps but the centre.
    template <class Work>
    void each_other(const Shape& s, Int elements, Work work) const {
        for (Int tap = 0; tap < s.taps(); tap++)
            if (tap != centre) work(layers[tap], taps[tap].rows(s, elements));
    }
};

// What a thread works in.
struct Desk {
    float *rows, *gates, *cells, *zeros, *d_rows, *d_cell;
    Pair* pairs;

    Desk(const Shape& s, Pieces& pieces) {
        Int count = s.tile() * s.places(), ld = padded(s.seen());
        rows = pieces.take(count * ld), d_rows = pieces.take(count * ld);
        gates = pieces.take(count * s.gates());
        cells = pieces.take(count * s.channels), d_cell = pieces.take(count * s.channels);
        zeros = pieces.take(s.channels);
        std::memset(zeros, 0, zeros ? s.channels * sizeof(float) : 0);
        pairs = (Pair*)pieces.take(Linear::desk(count, s.seen(), 4 * s.channels));
    }
};

// A tile on its way through the sequence: `given` to the call are x and outputs, maps with the
// channels first, and the state before the first step, in rows.
struct Tile {
    const Shape& s;
    const Net& net;
    Desk d;
    Int first, elements;
    const float *x, *hidden, *cell;
    const bool* reset;
    float *outputs, *kept_gates, *kept_cells;  // of all steps; the latter in rows, or null

    Int places() const { return s.places(); }
    Int count() const { return elements * places(); }
    Int ld() const { return padded(s.seen()); }
    Int element(Int t) const { return t * s.batch + first; }
    bool is_first(Int t, Int e) const { return reset && reset[element(t) + e]; }
    float* gates(Int t) const {
        return kept_gates ? kept_gates + element(t) * places() * s.gates() : d.gates;
    }
    float* cells(Int t) const {
        return kept_cells ? kept_cells + element(t) * places() * s.channels : d.cells;
    }
    const float* old_cell(Int t, Int row) const {
        if (is_first(t, row / places())) return d.zeros;
        const float* before = t ? cells(t - 1) : cell + first * places() * s.channels;
        return before + row * s.channels;
    }
    // work(element, rows of its input, rows of its hidden map) for all elements.
    template <class Work>
    void each(float* rows, Work work) const {
        for (Int e = 0; e < elements; e++, rows += places() * ld()) work(e, rows, rows + s.features);
    }

    // Maps with the channels first to rows, and back.
    void spread(const float* map, Int channels, float* rows) const {
        for (Int p = 0; p < places(); p++)
            for (Int c = 0; c < channels; c++) rows[p * ld() + c] = map[c * places() + p];
    }
    void gather(const float* rows, Int channels, float* map) const {
        for (Int c = 0; c < channels; c++)
            for (Int p = 0; p < places(); p++) map[c * places() + p] = rows[p * ld() + c];
    }
    void clear(float* rows) const {
        for (Int p = 0; p < places(); p++)
            std::memset(rows + p * ld(), 0, s.channels * sizeof(float));
    }

    // Rows of the state before the first step.
    void begin() const {
        const float* from = hidden + first * places() * s.channels;
        for (Int r = 0; r < count(); r++)
            std::memcpy(d.rows + r * ld() + s.features, from + r * s.channels,
                        s.channels * sizeof(float));
    }
    void read(Int t) const {
        each(d.rows, [&](Int e, float* input, float* state) {
            spread(x + (element(t) + e) * s.features * places(), s.features, input);
            if (is_first(t, e)) clear(state);
        });
    }
    void step(Int t) const {
        read(t);
        float* sums = gates(t);
        net.layers[net.centre].forward(count(), d.rows, ld(), sums, s.gates(), d.pairs, false);
        net.each_other(s, elements, [&](const Linear& layer, const Listed& rows) {
            layer.forward_at(rows, d.rows, ld(), sums, s.gates(), d.pairs);
        });
        for (Int r = 0; r < count(); r++)
            step_cell(s.channels, sums + r * s.gates(), old_cell(t, r), cells(t) + r * s.channels,
                      d.rows + r * ld() + s.features);
        Int units = s.channels * places();
        each(d.rows, [&](Int e, float*, float* state) {
            gather(state, s.channels, outputs + (element(t) + e) * units);
        });
    }
    void end(float* last_hidden, float* last_cell) const {
        Int start = first * places() * s.channels;
        for (Int r = 0; r < count(); r++)
            std::memcpy(last_hidden + start + r * s.channels, d.rows + r * ld() + s.features,
                        s.channels * sizeof(float));
        std::memcpy(last_cell + start, cells(s.steps - 1), count() * s.channels * sizeof(float));
    }

    // Gradients of the last state, in rows; of the first one after all steps.
    void begin_back(const float* d_hidden, const float* d_cell) const {
        Int start = first * places() * s.channels;
        for (Int r = 0; r < count(); r++)
            std::memcpy(d.d_rows + r * ld() + s.features, d_hidden + start + r * s.channels,
                        s.channels * sizeof(float));
        std::memcpy(d.d_cell, d_cell + start, count() * s.channels * sizeof(float));
    }
    void step_back(Int t, const float* d_outputs, float* d_x, float* gradients) const {
        Int units = s.channels * places();
        if (t)
            each(d.rows, [&](Int e, float*, float* state) {
                spread(outputs + (element(t - 1) + e) * units, s.channels, state);
            });
        else
            begin();
        read(t);
        if (d_outputs)
            each(d.d_rows, [&](Int e, float*, float* total) {
                const float* map = d_outputs + (element(t) + e) * units;
                for (Int p = 0; p < places(); p++)
                    for (Int c = 0; c < s.channels; c++)
                        total[p * ld() + c] += map[c * places() + p];
            });
        for (Int r = 0; r < count(); r++)
            step_cell_back(s.channels, gates(t) + r * s.gates(), old_cell(t, r),
                           cells(t) + r * s.channels, d.d_rows + r * ld() + s.features,
                           d.d_cell + r * s.channels, d.gates + r * s.gates());
        learn(gradients);
        if (d_x)
            each(d.d_rows, [&](Int e, float* d_input, float*) {
                gather(d_input, s.features, d_x + (element(t) + e) * s.features * places());
            });
        each(d.d_rows, [&](Int e, float*, float* d_state) {
            if (!is_first(t, e)) return;
            clear(d_state);
            std::memset(d.d_cell + e * units, 0, units * sizeof(float));
        });
    }
    void end_back(float* d_hidden, float* d_cell) const {
        Int start = first * places() * s.channels;
        for (Int r = 0; r < count(); r++)
            std::memcpy(d_hidden + start + r * s.channels, d.d_rows + r * ld() + s.features,
                        s.channels * sizeof(float));
        std::memcpy(d_cell + start, d.d_cell, count() * s.channels * sizeof(float));
    }

    // From the gradients of the gates to those of the rows and of the weights.
    void learn(float* gradients) const {
        const Linear& centre = net.layers[net.centre];
        centre.backward(count(), d.gates, s.gates(), d.d_rows, ld(), d.pairs, false);
        net.each_other(s, elements, [&](const Linear& layer, const Listed& rows) {
            layer.backward_at(rows, d.gates, s.gates(), d.d_rows, ld(), d.pairs);
        });
        centre.learn(count(), d.gates, s.gates(), d.rows, ld(), d.pairs, gradients);
        net.each_other(s, elements, [&](const Linear& layer, const Listed& rows) {
            layer.learn_at(rows, d.gates, s.gates(), d.rows, ld(), d.pairs, gradients);
        });
    }
};

// work(thread, first element of a tile, their number) for all tiles.
template <class Work>
void each_tile(const Shape& s, Work work) {
    share(s.tiles(), s.threads, [&](Int thread, Int i) {
        Int first = i * s.tile();
        if (first < s.batch) work(thread, first, std::min(s.tile(), s.batch - first));
    });
}

}  // namespace

extern "C" {

// Whether this machine multiplies in bfloat16.
int engram_convlstm_halves() { return HALVES; }

// Floats that a forward pass keeps for its backward pass.
Int engram_convlstm_kept(const Shape* s) {
    return s->steps * s->batch * s->places() * (s->gates() + s->channels);
}

// Lays the weights out for forward passes, unless `packed` is null. Gives the floats it takes.
Int engram_convlstm_pack(const Shape* s, const float* const* weights, float* packed) {
    Pieces pieces{packed};
    Net(*s, weights, false, pieces);
    return pieces.used;
}

// The weights are [taps, gates, numbers of a row], and the bias; `packed`, which may be null, has them
// laid out. `kept` may be null, then nothing is kept, and so may `reset`, then no episode begins.
// Gives 0, or 1 if there is no memory to work in.
int engram_convlstm_forward(const Shape* shape, const float* const* weights, float* packed,
                            const float* x, const float* hidden, const float* cell,
                            const bool* reset, float* outputs, float* last_hidden, float* last_cell,
                            float* kept) {
    const Shape& s = *shape;
    Workspace<Net, Desk, Shape> work(s, weights, false, packed);
    if (!work.base) return 1;
    Net net = work.net();
    float* cells = kept ? kept + s.steps * s.batch * s.places() * s.gates() : nullptr;
    each_tile(s, [&](Int thread, Int first, Int elements) {
        Tile tile{s,      net,  work.desk(thread), first,   elements, x,
                  hidden, cell, reset,             outputs, kept,     cells};
        tile.begin();
        for (Int t = 0; t < s.steps; t++) tile.step(t);
        tile.end(last_hidden, last_cell);
    });
    return 0;
}

// One step, see memory/fused/acting.cpp.
int engram_convlstm_step(const Shape* shape, const float* const* weights, float* packed,
                         const float* x, const float* const* state, const bool* reset,
                         float* outputs, float* const* next, float*) {
    return engram_convlstm_forward(shape, weights, packed, x, state[0], state[1], reset, outputs,
                                   next[0], next[1], nullptr);
}

// `d_outputs` and `d_x` may be null; d_hidden and d_cell hold the gradient of the last state, and
// then that of the first.
int engram_convlstm_backward(const Shape* shape, const float* const* weights, const float* x,
                             const float* hidden, const float* cell, const bool* reset,
                             float* outputs, float* kept, const float* d_outputs, float* d_hidden,
                             float* d_cell, float* d_x, float* const* d_weights) {
    Shape s = *shape;  // without the last steps, if no gradient reaches them
    Int state = s.batch * s.channels * s.places(), x_size = s.batch * s.features * s.places();
    if (is_zero(d_hidden, state) && is_zero(d_cell, state))
        s.steps = steps_with_gradient(s.steps, d_outputs, state);
    if (d_x)
        std::memset(d_x + s.steps * x_size, 0, (shape->steps - s.steps) * x_size * sizeof(float));
    Workspace<Net, Desk, Shape> work(s, weights, true);
    if (!work.base) return 1;
    Net net = work.net();
    float* cells = kept + shape->steps * s.batch * s.places() * s.gates();
    each_tile(s, [&](Int thread, Int first, Int elements) {
        Tile tile{s,      net,  work.desk(thread), first,   elements, x,
                  hidden, cell, reset,             outputs, kept,     cells};
        tile.begin_back(d_hidden, d_cell);
        for (Int t = s.steps - 1; t >= 0; t--)
            tile.step_back(t, d_outputs, d_x, work.sums(thread));
        tile.end_back(d_hidden, d_cell);
    });
    for (const Linear& l : net.layers)
        add_up(l, work.sums(0), s.threads, net.gradients, d_weights[0],
               l.biased ? d_weights[1] : nullptr);
    return 0;
}

}  // extern "C"
