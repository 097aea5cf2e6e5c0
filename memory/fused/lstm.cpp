// An LSTM over a whole sequence, forward and backward, in float32; products of matrices in bfloat16,
// where `halves` says so.
//
// memory/cores/lstm.py has the formulas and memory/fused/lstm.py the call. What steps do not hand on to
// each other, the products with the inputs and the gradients of the weights, is done for all steps
// together, in chunks of rows. For the rest the batch is cut into tiles, and a thread takes a tile
// through all steps, so that the threads meet three times per sequence at most.

#include "lstm_cell.h"
#include "threads.h"
#include "tiles.h"
#include "workspace.h"

struct Shape {  // as in memory/fused/lstm.py
    Int steps, batch, features, width, threads, halves;
    Int constant, constants;  // numbers of an input that are the same in all rows
    Int varying() const { return features - constants; }
    Int rows() const { return steps * batch; }
    Int gates() const { return padded(4 * width); }  // length of a row of them
    Int tiles() const {
        Int count = (batch + 63) / 64;
        return std::min(batch, (count + threads - 1) / threads * threads);
    }
    Int tile() const { return (batch + tiles() - 1) / tiles(); }
    // So many rows that weights are read seldom, and so few that the cache holds them.
    Int chunks() const {
        Int count = (rows() + 319) / 320;
        return std::min(rows(), (count + threads - 1) / threads * threads);
    }
    Int chunk() const { return (rows() + chunks() - 1) / chunks(); }
};

namespace {

struct Net {
    Linear from_input, from_hidden;
    float* constants;  // that the bias has been computed for; not a number before
    Int gradients;

    // From weights, unless they were `packed` there before.
    Net(const Shape& s, const float* const* weights, bool backwards, Pieces& pieces,
        bool packed = false) {
        auto layer = [&](Int in, Int left_out, Int parameter, bool biased) {
            Linear l{in, 4 * s.width, parameter, 0, in + left_out, biased};
            l.gap_at = s.constant, l.gap = left_out;
            l.halves = s.halves;
            l.ahead = backwards ? nullptr : pieces.take(in * padded(l.out));
            l.back = backwards ? pieces.take(l.out * padded(in)) : nullptr;
            l.bias = backwards ? nullptr : pieces.take(padded(l.out));
            l.gradient = parameter ? padded(s.varying()) * l.out + l.out : 0;
            if (pieces.base && !packed) l.pack(weights[parameter], weights[2], backwards);
            return l;
        };
        from_input = layer(s.varying(), s.constants, 0, true);
        from_hidden = layer(s.width, 0, 1, false);
        constants = pieces.take(s.constants);
        if (pieces.base && !packed) std::fill(constants, constants + s.constants, NAN);
        gradients = from_hidden.gradient + padded(s.width) * from_hidden.out;
    }

    // What is constant in the inputs adds to the bias.
    void add_constants(const Shape& s, const float* const* weights, const float* x) const {
        const float* now = x + s.constant;
        if (std::equal(constants, constants + s.constants, now)) return;
        for (Int o = 0; o < from_input.out; o++) {
            const float* weight = weights[0] + o * s.features + s.constant;
            from_input.bias[o] = weights[2][o] + dot(weight, now, s.constants);
        }
        std::copy(now, now + s.constants, constants);
    }
    void learn_constants(const Shape& s, const float* x, float* const* d_weights) const {
        for (Int o = 0; o < from_input.out; o++)
            for (Int i = s.constant; i < s.constant + s.constants; i++)
                d_weights[0][o * s.features + i] = d_weights[2][o] * x[i];
    }
};

// What a thread works in.
struct Desk {
    float *input, *hidden, *cell, *d_hidden;
    Pair* pairs;

    Desk(const Shape& s, Pieces& pieces) {
        Int rows = std::max(s.chunk(), s.tile()), features = padded(s.varying());
        input = pieces.take(rows * features);
        hidden = pieces.take(rows * padded(s.width)), cell = pieces.take(s.tile() * s.width);
        d_hidden = pieces.take(s.tile() * padded(s.width));
        pairs = (Pair*)pieces.take(Linear::desk(rows, std::max(s.features, s.width), 4 * s.width));
    }
};

// What one call works with: `given` are its tensors.
struct Sequence {
    const Shape& s;
    const float *x, *hidden, *cell;
    const bool* reset;
    float *outputs, *cells, *gates;  // of all steps; gates in rows of s.gates()
    float* d_gates = nullptr;        // like them

    bool is_first(Int row) const { return reset && reset[row]; }
    const float* before(Int row, const float* first, const float* later) const {
        return row < s.batch ? first + row * s.width : later + (row - s.batch) * s.width;
    }
    // Rows of the state before each step, zeros where an episode begins.
    void gather(Int row, Int rows, const float* first, const float* later, float* to,
                Int ld) const {
        for (Int r = 0; r < rows; r++, row++, to += ld)
            if (is_first(row))
                std::memset(to, 0, s.width * sizeof(float));
            else
                std::memcpy(to, before(row, first, later), s.width * sizeof(float));
    }

    // The numbers of inputs that vary, side by side.
    void read(Int row, Int rows, float* to) const {
        Int behind = s.varying() - s.constant;
        const float* from = x + row * s.features;
        for (Int r = 0; r < rows; r++, to += padded(s.varying()), from += s.features) {
            std::memcpy(to, from, s.constant * sizeof(float));
            std::memcpy(to + s.constant, from + s.features - behind, behind * sizeof(float));
        }
    }
    bool has_constants() const {
        for (Int row = 1; s.constants && row < s.rows(); row++)
            if (std::memcmp(x + s.constant, x + row * s.features + s.constant,
                            s.constants * sizeof(float)))
                return false;
        return true;
    }

    void project(const Net& net, Int row, Int rows, const Desk& d) const {
        if (s.constants) read(row, rows, d.input);
        const float* from = s.constants ? d.input : x + row * s.features;
        net.from_input.forward(rows, from, s.constants ? padded(s.varying()) : s.features,
                               gates + row * s.gates(), s.gates(), d.pairs, false);
    }

    void step(const Net& net, Int row, Int rows, const Desk& d) const {
        Int n = s.width, ld = padded(n);
        gather(row, rows, hidden, outputs, d.hidden, ld);
        gather(row, rows, cell, cells, d.cell, n);
        net.from_hidden.forward(rows, d.hidden, ld, gates + row * s.gates(), s.gates(), d.pairs,
                                true);
        for (Int r = 0; r < rows; r++, row++)
            step_cell(n, gates + row * s.gates(), d.cell + r * n, cells + row * n,
                      outputs + row * n);
    }

    // Gives the gradients of the gates. `d_cell`, [tile, width], and d.d_hidden are those of the state after the step, then of the one before.
    void step_back(const Net& net, Int row, Int rows, const float* d_outputs, float* d_cell,
                   const Desk& d) const {
        Int n = s.width, ld = padded(n), first = row;
        gather(row, rows, cell, cells, d.cell, n);
        for (Int r = 0; r < rows; r++, row++) {
            float* total = d.d_hidden + r * ld;
            if (d_outputs) add_scaled(total, 1, d_outputs + row * n, n);
            step_cell_back(n, gates + row * s.gates(), d.cell + r * n, cells + row * n, total,
                           d_cell + r * n, d_gates + row * s.gates());
        }
        net.from_hidden.backward(rows, d_gates + first * s.gates(), s.gates(), d.d_hidden, ld,
                                 d.pairs, false);
        for (Int r = 0; r < rows; r++)
            if (is_first(first + r)) {
                std::memset(d.d_hidden + r * ld, 0, n * sizeof(float));
                std::memset(d_cell + r * n, 0, n * sizeof(float));
            }
    }

    // From the gradients of the gates to those of weights and inputs.
    void learn(const Net& net, Int row, Int rows, float* d_x, const Desk& d, float* to) const {
        Int ld = padded(s.varying()), behind = s.varying() - s.constant;
        const float* by_gate = d_gates + row * s.gates();
        gather(row, rows, hidden, outputs, d.hidden, padded(s.width));
        net.from_hidden.learn(rows, by_gate, s.gates(), d.hidden, padded(s.width), d.pairs, to);
        read(row, rows, d.input);
        net.from_input.learn(rows, by_gate, s.gates(), d.input, ld, d.pairs, to, true);
        if (!d_x) return;
        net.from_input.backward(rows, by_gate, s.gates(), d.input, ld, d.pairs, false);
        for (Int r = 0; r < rows; r++) {
            float *into = d_x + (row + r) * s.features, *from = d.input + r * ld;
            std::memcpy(into, from, s.constant * sizeof(float));
            std::memset(into + s.constant, 0, s.constants * sizeof(float));
            std::memcpy(into + s.features - behind, from + s.constant, behind * sizeof(float));
        }
    }

    // work(thread, first element of a tile, their number) for all tiles.
    template <class Work>
    void each_tile(Work work) const {
        each(s.tiles(), s.tile(), s.batch, work);
    }
    // work(thread, first row of a chunk, their number) for all chunks.
    template <class Work>
    void each_chunk(Work work) const {
        each(s.chunks(), s.chunk(), s.rows(), work);
    }
    template <class Work>
    void each(Int pieces, Int size, Int all, Work work) const {
        share(pieces, s.threads, [&](Int thread, Int i) {
            if (i * size < all) work(thread, i * size, std::min(size, all - i * size));
        });
    }
};

}  // namespace

extern "C" {

// Whether this machine multiplies in bfloat16.
int engram_lstm_halves() { return HALVES; }

// Floats in the gates of all steps.
Int engram_lstm_gates(const Shape* s) { return s->rows() * s->gates(); }

// Lays the weights out for forward passes, unless `packed` is null. Gives the floats it takes.
Int engram_lstm_pack(const Shape* s, const float* const* weights, float* packed) {
    Pieces pieces{packed};
    Net(*s, weights, false, pieces);
    return pieces.used;
}

// The weights are those of the input and of the hidden state, and the bias; `packed`, which may be
// null, has them laid out. `reset` may be null, then no episode begins. Gives 0, 1 if there is no
// memory to work in, or 2 if the inputs lack the constants.
int engram_lstm_forward(const Shape* shape, const float* const* weights, float* packed,
                        const float* x, const float* hidden, const float* cell, const bool* reset,
                        float* outputs, float* cells, float* gates) {
    const Shape& s = *shape;
    Workspace<Net, Desk, Shape> work(s, weights, false, packed);
    if (!work.base) return 1;
    Net net = work.net();
    Sequence sequence{s, x, hidden, cell, reset, outputs, cells, gates};
    if (!sequence.has_constants()) return 2;
    net.add_constants(s, weights, x);
    sequence.each_chunk([&](Int thread, Int row, Int rows) {
        sequence.project(net, row, rows, work.desk(thread));
    });
    sequence.each_tile([&](Int thread, Int first, Int rows) {
        Desk d = work.desk(thread);
        for (Int t = 0; t < s.steps; t++) sequence.step(net, t * s.batch + first, rows, d);
    });
    return 0;
}

// One step, see memory/fused/acting.cpp; the outputs are next[0].
int engram_lstm_step(const Shape* shape, const float* const* weights, float* packed, const float* x,
                     const float* const* state, const bool* reset, float* outputs,
                     float* const* next, float* gates) {
    return engram_lstm_forward(shape, weights, packed, x, state[0], state[1], reset, outputs,
                               next[1], gates);
}

// `d_outputs` and `d_x` may be null; d_hidden and d_cell hold the gradient of
// the last state, and then that of the first.
int engram_lstm_backward(const Shape* shape, const float* const* weights, const float* x,
                         const float* hidden, const float* cell, const bool* reset, float* outputs,
                         float* cells, float* gates, const float* d_outputs, float* d_hidden,
                         float* d_cell, float* d_x, float* const* d_weights) {
    Shape s = *shape;  // without the last steps, if no gradient reaches them
    Int state = s.batch * s.width;
    if (is_zero(d_hidden, state) && is_zero(d_cell, state))
        s.steps = steps_with_gradient(s.steps, d_outputs, state);
    if (d_x)
        std::memset(d_x + s.rows() * s.features, 0,
                    (shape->rows() - s.rows()) * s.features * sizeof(float));
    Workspace<Net, Desk, Shape> work(s, weights, true, nullptr, s.rows() * s.gates());
    if (!work.base) return 1;
    Net net = work.net();
    Sequence sequence{s, x, hidden, cell, reset, outputs, cells, gates, work.shared()};
    sequence.each_tile([&](Int thread, Int first, Int rows) {
        Desk d = work.desk(thread);
        Int n = s.width, ld = padded(n);
        for (Int r = 0; r < rows; r++)
            std::memcpy(d.d_hidden + r * ld, d_hidden + (first + r) * n, n * sizeof(float));
        for (Int t = s.steps - 1; t >= 0; t--)
            sequence.step_back(net, t * s.batch + first, rows, d_outputs, d_cell + first * n, d);
        for (Int r = 0; r < rows; r++)
            std::memcpy(d_hidden + (first + r) * n, d.d_hidden + r * ld, n * sizeof(float));
    });
    sequence.each_chunk([&](Int thread, Int row, Int rows) {
        sequence.learn(net, row, rows, d_x, work.desk(thread), work.sums(thread));
    });
    add_up(net.from_input, work.sums(0), s.threads, net.gradients, d_weights[0], d_weights[2]);
    add_up(net.from_hidden, work.sums(0), s.threads, net.gradients, d_weights[1], nullptr);
    net.learn_constants(s, x, d_weights);
    return 0;
}

}  // extern "C"
