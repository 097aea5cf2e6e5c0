// The relational memory core over a whole sequence, forward and backward, in float32; products of
// matrices in bfloat16, where `halves` says so.
//
// memory/cores/rmc.py has the formulas and memory/fused/rmc.py the call. The batch is cut into tiles of a
// few hundred rows; a thread takes a tile through all time steps, so that what a step hands to the
// next stays in the cache, and the threads meet once per sequence.
//
// Each element of the batch is computed in one order of operations, whatever the tiles: the forward
// pass is the same bit for bit for any batch, any number of threads, and any cut of the sequence.

#include <vector>

#include "threads.h"
#include "tiles.h"
#include "workspace.h"

struct Shape {  // as in memory/fused/rmc.py
    Int steps, batch, features, inputs, slots, heads, key, value, blocks, layers, gates, threads;
    Int halves;
    float scale, input_bias, forget_bias;
    Int width() const { return heads * value; }
    Int projection() const { return heads * (2 * key + value); }
    Int rows() const { return slots + inputs; }
    Int asking(Int block) const { return block + 1 < blocks ? rows() : slots; }
    Int tiles() const {
        Int most = std::max<Int>(1, 256 / rows());
        Int count = (batch + most - 1) / most;
        return std::min(batch, (count + threads - 1) / threads * threads);
    }
    Int tile() const { return (batch + tiles() - 1) / tiles(); }
    // Input rows of all steps are embedded in chunks of as many rows as a tile has, or fewer.
    Int embedded() const { return steps * batch * inputs; }
    Int chunks() const {
        Int count = (embedded() + tile() * rows() - 1) / (tile() * rows());
        return std::min(embedded(), (count + threads - 1) / threads * threads);
    }
    Int chunk() const { return (embedded() + chunks() - 1) / chunks(); }
};

namespace {

// ---- what is kept of a step for the backward pass ----

struct KeptBlock {
    float *rows, *qkv, *qkv_scale, *weights, *read, *read_scale, *out, *out_scale;
    std::vector<float*> hidden;
};

struct Kept {
    std::vector<KeptBlock> blocks;
    float* gates;

    Kept(const Shape& s, Pieces pieces, Int* floats = nullptr) : blocks(s.blocks) {
        Int b = s.tile(), ld = padded(s.width()), all = b * s.rows();
        for (Int i = 0; i < s.blocks; i++) {
            KeptBlock& k = blocks[i];
            Int asking = b * s.asking(i);
            k.rows = pieces.take(all * ld);
            k.qkv = pieces.take(all * padded(s.projection())), k.qkv_scale = pieces.take(all);
            k.weights = pieces.take(asking * s.heads * s.rows());
            k.read = pieces.take(asking * ld), k.read_scale = pieces.take(asking);
            k.out = pieces.take(asking * ld), k.out_scale = pieces.take(asking);
            for (Int l = 1; l < s.layers; l++) k.hidden.push_back(pieces.take(asking * ld));
        }
        gates = pieces.take(b * s.slots * padded(s.gates));
        if (floats) *floats = pieces.used;
    }
};

Int kept_floats(const Shape& s) {
    Int floats;
    Kept(s, Pieces{nullptr}, &floats);
    return floats;
}

// What a thread works in; but `embedded` are the input rows of a step of all, or their gradient.
struct Desk {
    float *embedded = nullptr, *qkv, *one, *two, *three, *memory, *gates, *from_input, *input, *carry,
        *head, *scores;
    Pair* pairs;

    Desk(const Shape& s, Pieces& pieces) {
        Int b = s.tile(), ld = padded(s.width()), all = b * s.rows();
        qkv = pieces.take(all * padded(s.projection()));
        one = pieces.take(all * ld), two = pieces.take(all * ld), three = pieces.take(all * ld);
        memory = pieces.take(b * s.slots * ld);
        gates = pieces.take(b * s.slots * padded(s.gates));
        from_input = pieces.take(b * padded(s.gates));
        input = pieces.take(s.chunk() * padded(s.features));
        carry = pieces.take(b * s.slots * s.width());
        head = pieces.take(s.rows() * (2 * s.key + s.value)), scores = pieces.take(s.rows());
        Int widest = std::max({s.projection(), s.width(), s.features, s.gates});
        pairs = (Pair*)pieces.take(Linear::desk(all, widest, widest));
    }
};

struct Net {
    Shape s;
    Int ld, wide, gates;  // lengths of the rows of memory, of projections, of gates
    Linear embed, gate_memory;
    std::vector<Linear> qkv, mlp, gate_input;  // the gates' weights are cut by input row
    std::vector<Norm> qkv_norm, read_norm, out_norm;
    Int gradients = 0;

    // From parameters in the order in which memory/fused/rmc.py lists them; linear layers may have
    // been `packed` there before.
    Net(const Shape& shape, const float* const* parameters, bool backwards, Pieces& pieces,
        bool packed = false)
        : s(shape), ld(padded(s.width())), wide(padded(s.projection())), gates(padded(s.gates)) {
        Int next = 0, width = s.width();
        auto place = [&](Int floats) {
            Int at = gradients;
            gradients += (floats + W - 1) / W * W;
            return at;
        };
        auto linear = [&](Int in, Int out, Int column, Int stride, bool biased) {
            Linear l{in, out, next, column, stride, biased};
            l.halves = s.halves;
            l.ahead = backwards ? nullptr : pieces.take(in * padded(out));
            l.back = backwards ? pieces.take(out * padded(in)) : nullptr;
            l.bias = backwards ? nullptr : pieces.take(padded(out));
            l.gradient = place(out * padded(in) + out);
            if (pieces.base && !packed) l.pack(parameters[next], parameters[next + 1], backwards);
            return l;
        };
        auto layer = [&](Int in, Int out) {
            Linear l = linear(in, out, 0, in, true);
            next += 2;
            return l;
        };
        auto norm = [&](Int size) {
            Norm n{size, next, nullptr, nullptr, place(2 * size)};
            if (pieces.base) n.gain = parameters[next], n.offset = parameters[next + 1];
            next += 2;
            return n;
        };
        embed = layer(s.features, width);
        for (Int i = 0; i < s.blocks; i++) {
            qkv.push_back(layer(width, s.projection()));
            qkv_norm.push_back(norm(s.projection()));
            read_norm.push_back(norm(width));
            out_norm.push_back(norm(width));
        }
        for (Int i = 0; i < s.layers; i++) mlp.push_back(layer(width, width));
        if (!s.gates) return;
        for (Int i = 0; i < s.inputs; i++)
            gate_input.push_back(linear(width, s.gates, i * width, s.inputs * width, !i));
        next += 2;
        gate_memory = layer(width, s.gates);
    }

    // One step of a tile of `b` elements; `memory` is the state before it, `next` the one after it.
    void forward(Int b, const float* memory, const bool* reset, const Kept& k, const Desk& d,
                 float* next) const {
        enter(b, memory, reset, k.blocks[0].rows, d);
        float* candidate = d.two;
        for (Int i = 0; i < s.blocks; i++) {
            const KeptBlock& kept = k.blocks[i];
            Int all = b * s.rows(), asking = b * s.asking(i);
            qkv[i].forward(all, kept.rows, ld, d.qkv, wide, d.pairs, false);
            qkv_norm[i].apply(all, d.qkv, wide, kept.qkv, kept.qkv_scale);
            attend(b, s.asking(i), d.qkv, kept, d.one);
            read_norm[i].apply(asking, d.one, ld, kept.read, kept.read_scale);
            float *in = d.one, *out = i + 1 < s.blocks ? k.blocks[i + 1].rows : candidate;
            for (Int l = 0; l + 1 < s.layers; l++) {
                mlp[l].forward(asking, in, ld, kept.hidden[l], ld, d.pairs, false);
                in = kept.hidden[l];
                for (Int j = 0; j < asking * ld; j++) in[j] = in[j] < 0 ? 0 : in[j];
            }
            mlp.back().forward(asking, in, ld, out, ld, d.pairs, false);
            add_scaled(out, 1, d.one, asking * ld);
            out_norm[i].apply(asking, out, ld, kept.out, kept.out_scale);
        }
        leave(b, candidate, k, d, next);
    }

    // The gradient of one step. `d.carry` is that of the state after it, then of the one before.
    void backward(Int b, const Kept& k, Desk d, const float* d_next, float* gradients) const {
        backward_leave(b, k, d, d_next, gradients);
        for (Int i = s.blocks - 1; i >= 0; i--) {
            const KeptBlock& kept = k.blocks[i];
            Int all = b * s.rows(), asking = b * s.asking(i);
            out_norm[i].backward(asking, d.one, ld, kept.out, kept.out_scale, gradients);
            backward_mlp(i, asking, kept, d, gradients);
            read_norm[i].backward(asking, d.one, ld, kept.read, kept.read_scale, gradients);
            backward_attend(b, i, kept, d);
            qkv_norm[i].backward(all, d.qkv, wide, kept.qkv, kept.qkv_scale, gradients);
            qkv[i].learn(all, d.qkv, wide, kept.rows, ld, d.pairs, gradients);
            for (Int e = 0; e < b; e++)
                for (Int r = 0; r < s.rows(); r++) {
                    float* row = d.two + (e * s.rows() + r) * ld;
                    if (r < s.asking(i))
                        std::memcpy(row, d.one + (e * s.asking(i) + r) * ld, ld * sizeof(float));
                    else
                        std::memset(row, 0, ld * sizeof(float));
                }
            qkv[i].backward(all, d.qkv, wide, d.two, ld, d.pairs, true);
            std::swap(d.one, d.two);
        }
        for (Int e = 0; e < b; e++)
            for (Int r = 0; r < s.rows(); r++) {
                const float* row = d.one + (e * s.rows() + r) * ld;
                float* into = r < s.slots ? d.carry + (e * s.slots + r) * s.width()
                                          : d.embedded + (e * s.inputs + r - s.slots) * ld;
                add_scaled(into, 1, row, s.width());
            }
    }

    // From the gradients of some embedded rows, `from` on, to those of weights and inputs.
    void learn_embedding(Int from, Int rows, const float* x, const float* d_embedded, float* d_x,
                         const Desk& d, float* gradients) const {
        Int features = padded(s.features);
        const float* by_row = d_embedded + from * ld;
        for (Int r = 0; r < rows; r++)
            std::memcpy(d.input + r * features, x + (from + r) * s.features,
                        s.features * sizeof(float));
        embed.learn(rows, by_row, ld, d.input, features, d.pairs, gradients);
        if (!d_x) return;
        embed.backward(rows, by_row, ld, d.input, features, d.pairs, false);
        for (Int r = 0; r < rows; r++)
            std::memcpy(d_x + (from + r) * s.features, d.input + r * features,
                        s.features * sizeof(float));
    }

    void sum(const float* from, Int threads, float* const* into) const {
        auto total = [&](Int at) {
            float sum = 0;
            for (Int i = 0; i < threads; i++) sum += from[i * gradients + at];
            return sum;
        };
        auto linear = [&](const Linear& l) {
            for (Int o = 0; o < l.out; o++)
                for (Int i = 0; i < l.in; i++)
                    into[l.parameter][o * l.stride + l.column + i] =
                        total(l.gradient + o * padded(l.in) + i);
            for (Int o = 0; l.biased && o < l.out; o++)
                into[l.parameter + 1][o] = total(l.gradient + l.out * padded(l.in) + o);
        };
        for (auto* layers : {&qkv, &mlp, &gate_input})
            for (const Linear& l : *layers) linear(l);
        linear(embed);
        if (s.gates) linear(gate_memory);
        for (auto* norms : {&qkv_norm, &read_norm, &out_norm})
            for (const Norm& n : *norms)
                for (Int i = 0; i < 2 * n.size; i++)
                    into[n.parameter + i / n.size][i % n.size] = total(n.gradient + i);
    }

   private:
    // The rows that attend: the memory, or the identity where an episode begins, and the input.
    void enter(Int b, const float* memory, const bool* reset, float* rows, const Desk& d) const {
        Int width = s.width();
        for (Int e = 0; e < b; e++)
            for (Int r = 0; r < s.rows(); r++, rows += ld) {
                if (r >= s.slots) {
                    std::memcpy(rows, d.embedded + (e * s.inputs + r - s.slots) * ld,
                                width * sizeof(float));
                } else if (reset && reset[e]) {
                    std::memset(rows, 0, width * sizeof(float));
                    if (r < width) rows[r] = 1;
                } else {
                    std::memcpy(rows, memory + (e * s.slots + r) * width, width * sizeof(float));
                }
            }
    }

    // sum = the first rows, plus what they read.
    void attend(Int b, Int asking, const float* projected, const KeptBlock& k, float* sum) const {
        Int all = s.rows(), head = 2 * s.key + s.value;
        float* weights = k.weights;
        for (Int e = 0; e < b; e++) {
            for (Int i = 0; i < asking; i++)
                std::memcpy(sum + (e * asking + i) * ld, k.rows + (e * all + i) * ld,
                            ld * sizeof(float));
            for (Int h = 0; h < s.heads; h++)
                for (Int i = 0; i < asking; i++, weights += all) {
                    const float* first = projected + e * all * wide + h * head;
                    for (Int j = 0; j < all; j++)
                        weights[j] =
                            s.scale * dot(first + i * wide, first + j * wide + s.key, s.key);
                    softmax(weights, all);
                    float* read = sum + (e * asking + i) * ld + h * s.value;
                    for (Int j = 0; j < all; j++)
                        add_scaled(read, weights[j], first + j * wide + 2 * s.key, s.value);
                }
        }
    }

    static void softmax(float* x, Int n) {
        float most = *std::max_element(x, x + n), sum = 0;
        for (Int j = 0; j < n; j++) sum += x[j] = exponential(x[j] - most);
        for (Int j = 0; j < n; j++) x[j] /= sum;
    }

    // d.one holds the gradient of what was read; that of the projections goes to d.qkv.
    void backward_attend(Int b, Int block, const KeptBlock& k, const Desk& d) const {
        Int all = s.rows(), asking = s.asking(block), head = 2 * s.key + s.value;
        const float* weights = k.weights;
        for (Int e = 0; e < b; e++)
            for (Int h = 0; h < s.heads; h++) {
                float* first = d.qkv + e * all * wide + h * head;  // gradients of this head
                for (Int j = 0; j < all; j++) {  // its projections again, side by side
                    const float* unit = k.qkv + (e * all + j) * wide + h * head;
                    const float *gain = qkv_norm[block].gain + h * head,
                                *offset = qkv_norm[block].offset + h * head;
                    for (Int c = 0; c < head; c++) {
                        d.head[j * head + c] = unit[c] * gain[c] + offset[c];
                        first[j * wide + c] = 0;
                    }
                }
                for (Int i = 0; i < asking; i++, weights += all) {
                    const float* d_read = d.one + (e * asking + i) * ld + h * s.value;
                    float along = 0;
                    for (Int j = 0; j < all; j++) {
                        d.scores[j] = dot(d_read, d.head + j * head + 2 * s.key, s.value);
                        along += d.scores[j] * weights[j];
                        add_scaled(first + j * wide + 2 * s.key, weights[j], d_read, s.value);
                    }
                    for (Int j = 0; j < all; j++) {
                        float score = s.scale * weights[j] * (d.scores[j] - along);
                        add_scaled(first + i * wide, score, d.head + j * head + s.key, s.key);
                        add_scaled(first + j * wide + s.key, score, d.head + i * head, s.key);
                    }
                }
            }
    }

    // In d.one, from the gradient of rows + perceptron(rows) to that of the rows.
    void backward_mlp(Int block, Int rows, const KeptBlock& k, const Desk& d, float* to) const {
        float *now = d.one, *next = d.two, *other = d.three;
        for (Int l = s.layers - 1; l > 0; l--) {
            const float* hidden = k.hidden[l - 1];
            mlp[l].learn(rows, now, ld, hidden, ld, d.pairs, to);
            mlp[l].backward(rows, now, ld, next, ld, d.pairs, false);
            for (Int j = 0; j < rows * ld; j++) next[j] = hidden[j] > 0 ? next[j] : 0;
            now = next;
            std::swap(next, other);
        }
        if (now == d.one) {
            now = other;
            std::memcpy(now, d.one, rows * ld * sizeof(float));
        }
        read_norm[block].again(rows, k.read, next, ld);
        mlp[0].learn(rows, now, ld, next, ld, d.pairs, to);
        mlp[0].backward(rows, now, ld, d.one, ld, d.pairs, true);
    }

    // Gates: the next memory from the candidate and the memory that was.
    void leave(Int b, const float* candidate, const Kept& k, const Desk& d, float* next) const {
        Int width = s.width(), half = s.gates / 2;
        if (s.gates) {
            each_memory(b, k, [&](Int r, const float* memory) {
                for (Int c = 0; c < width; c++) d.memory[r * ld + c] = tangent(memory[c]);
            });
            gate_memory.forward(b * s.slots, d.memory, ld, k.gates, gates, d.pairs, false);
            for (Int j = 0; j < s.inputs; j++)
                gate_input[j].forward(b, d.embedded + j * ld, s.inputs * ld, d.from_input, gates,
                                      d.pairs, j > 0);
        }
        each_memory(b, k, [&](Int r, const float* memory) {
            const float* value = candidate + r * ld;
            float *write = k.gates + r * gates, *keep = write + half, *out = next + r * width;
            const float* from_input = d.from_input + r / s.slots * gates;
            for (Int c = 0; c < half; c++) {
                write[c] = sigmoid(write[c] + from_input[c] + s.input_bias);
                keep[c] = sigmoid(keep[c] + from_input[half + c] + s.forget_bias);
            }
            if (half == 0)
                std::memcpy(out, value, width * sizeof(float));
            else if (half == 1)
                mix(width, value, memory, out, [w = *write](Int) { return w; },
                    [p = *keep](Int) { return p; });
            else
                mix(width, value, memory, out, [=](Int c) { return write[c]; },
                    [=](Int c) { return keep[c]; });
        });
    }

    template <class Write, class Keep>
    static void mix(Int n, const float* value, const float* memory, float* out, Write w, Keep k) {
#pragma omp simd
        for (Int c = 0; c < n; c++) out[c] = w(c) * tangent(value[c]) + k(c) * memory[c];
    }

    // Leaves the gradient of the candidate in d.one, and in d.embedded that by way of the gates.
    void backward_leave(Int b, const Kept& k, const Desk& d, const float* d_next, float* to) const {
        Int width = s.width(), half = s.gates / 2, rows = b * s.slots;
        if (d_next) add_scaled(d.carry, 1, d_next, rows * width);
        if (!s.gates) {
            std::memset(d.embedded, 0, b * s.inputs * ld * sizeof(float));
            for (Int r = 0; r < rows; r++)
                std::memcpy(d.one + r * ld, d.carry + r * width, width * sizeof(float));
            std::memset(d.carry, 0, rows * width * sizeof(float));
            return;
        }
        out_norm.back().again(rows, k.blocks.back().out, d.two, ld);
        std::memset(d.from_input, 0, b * gates * sizeof(float));
        each_memory(b, k, [&](Int r, const float* memory) {
            float *candidate = d.one + r * ld, *total = d.carry + r * width;
            float *value = d.two + r * ld, *squashed = d.memory + r * ld;
            const float *write = k.gates + r * gates, *keep = write + half;
            float *d_write = d.gates + r * gates, *d_keep = d_write + half;
#pragma omp simd
            for (Int c = 0; c < width; c++) {
                value[c] = tangent(value[c]);
                squashed[c] = tangent(memory[c]);
            }
            for (Int c = 0; c < half; c++) {
                Int size = half == 1 ? width : 1;
                d_write[c] = write[c] * (1 - write[c]) * dot(total + c, value + c, size);
                d_keep[c] = keep[c] * (1 - keep[c]) * dot(total + c, memory + c, size);
            }
            for (Int c = 0; c < width; c++) {
                Int g = half == 1 ? 0 : c;
                candidate[c] = total[c] * write[g] * (1 - value[c] * value[c]);
                total[c] *= keep[g];
            }
            add_scaled(d.from_input + r / s.slots * gates, 1, d_write, s.gates);
        });
        gate_memory.learn(rows, d.gates, gates, d.memory, ld, d.pairs, to);
        gate_memory.backward(rows, d.gates, gates, d.two, ld, d.pairs, false);
        for (Int r = 0; r < rows; r++)
            for (Int c = 0; c < width; c++) {
                float squashed = d.memory[r * ld + c];
                d.carry[r * width + c] += d.two[r * ld + c] * (1 - squashed * squashed);
            }
        for (Int j = 0; j < s.inputs; j++) {
            const float* input = k.blocks[0].rows + (s.slots + j) * ld;
            gate_input[j].learn(b, d.from_input, gates, input, s.rows() * ld, d.pairs, to);
            gate_input[j].backward(b, d.from_input, gates, d.embedded + j * ld, s.inputs * ld,
                                   d.pairs, false);
        }
    }

    template <class Work>
    void each_memory(Int b, const Kept& k, Work work) const {
        for (Int e = 0; e < b; e++)
            for (Int r = 0; r < s.slots; r++)
                work(e * s.slots + r, k.blocks[0].rows + (e * s.rows() + r) * ld);
    }
};

// ---- tiles and threads ----

struct Tile {
    Int first, size;
};

// work(thread, number of a tile, the tile) for all tiles.
template <class Work>
void each_tile(const Shape& s, Work work) {
    share(s.tiles(), s.threads, [&](Int thread, Int i) {
        Int first = i * s.tile();
        if (first < s.batch) work(thread, i, Tile{first, std::min(s.tile(), s.batch - first)});
    });
}

// work(thread, first of the input rows of all steps, their number) for all chunks.
template <class Work>
void each_chunk(const Shape& s, Work work) {
    share(s.chunks(), s.threads, [&](Int thread, Int i) {
        Int from = i * s.chunk();
        if (from < s.embedded()) work(thread, from, std::min(s.chunk(), s.embedded() - from));
    });
}

}  // namespace

extern "C" {

// Whether this machine multiplies in bfloat16.
int engram_rmc_halves() { return HALVES; }

// Floats that a forward pass keeps for its backward pass.
Int engram_rmc_kept(const Shape* s) { return s->tiles() * s->steps * kept_floats(*s); }

// Lays the linear layers out for forward passes, unless `packed` is null. Gives the floats it takes.
Int engram_rmc_pack(const Shape* s, const float* const* parameters, float* packed) {
    Pieces pieces{packed};
    Net(*s, parameters, false, pieces);
    return pieces.used;
}

// `packed` may be null, or have the linear layers laid out. `kept` may be null, then nothing is
// kept; and so may `reset`, then there are none. Gives 0, or 1 if there is no memory to work in.
int engram_rmc_forward(const Shape* shape, const float* const* parameters, float* packed,
                       const float* x, const float* state, const bool* reset, float* outputs,
                       float* kept) {
    const Shape& s = *shape;
    Int embedding = s.embedded() * padded(s.width());
    Workspace<Net, Desk, Shape> work(s, parameters, false, packed, embedding, kept_floats(s));
    if (!work.base) return 1;
    Net net = work.net();
    float* embedded = work.shared();
    each_chunk(s, [&](Int thread, Int from, Int rows) {
        net.embed.forward(rows, x + from * s.features, s.features, embedded + from * net.ld, net.ld,
                          work.desk(thread).pairs, false);
    });
    Int units = s.slots * s.width();
    each_tile(s, [&](Int thread, Int number, Tile tile) {
        Pieces own = work.pieces(thread);
        Desk desk(s, own);
        const float* memory = state + tile.first * units;
        for (Int t = 0; t < s.steps; t++) {
            Int at = t * s.batch + tile.first;
            desk.embedded = embedded + at * s.inputs * net.ld;
            Pieces keep = own;
            if (kept) keep = Pieces{kept + (number * s.steps + t) * kept_floats(s)};
            net.forward(tile.size, memory, reset ? reset + at : nullptr, Kept(s, keep), desk,
                        outputs + at * units);
            memory = outputs + at * units;
        }
    });
    return 0;
}

// One step, see memory/fused/acting.cpp; the outputs are next[0].
int engram_rmc_step(const Shape* shape, const float* const* parameters, float* packed,
                    const float* x, const float* const* state, const bool* reset, float* outputs,
                    float* const*, float*) {
    return engram_rmc_forward(shape, parameters, packed, x, state[0], reset, outputs, nullptr);
}

// `d_outputs`, `d_final` and `d_x` may be null, and `reset`.
int engram_rmc_backward(const Shape* shape, const float* const* parameters, const float* x,
                        const bool* reset, float* kept, const float* d_outputs,
                        const float* d_final, float* d_x, float* d_state,
                        float* const* d_parameters) {
    Shape s = *shape;  // without the last steps, if no gradient reaches them
    Int units = s.slots * s.width(), x_size = s.inputs * s.features;
    if (is_zero(d_final, s.batch * units))
        s.steps = steps_with_gradient(s.steps, d_outputs, s.batch * units);
    if (d_x)
        std::memset(d_x + s.steps * s.batch * x_size, 0,
                    (shape->steps - s.steps) * s.batch * x_size * sizeof(float));
    Int embedding = s.embedded() * padded(s.width());
    Workspace<Net, Desk, Shape> work(s, parameters, true, nullptr, embedding);
    if (!work.base) return 1;
    Net net = work.net();
    float* d_embedded = work.shared();
    each_tile(s, [&](Int thread, Int number, Tile tile) {
        Desk desk = work.desk(thread);
        Int floats = tile.size * units, first = tile.first * units;
        if (d_final)
            std::memcpy(desk.carry, d_final + first, floats * sizeof(float));
        else
            std::memset(desk.carry, 0, floats * sizeof(float));
        for (Int t = s.steps - 1; t >= 0; t--) {
            Int at = t * s.batch + tile.first;
            Kept keep(s, Pieces{kept + (number * shape->steps + t) * kept_floats(s)});
            desk.embedded = d_embedded + at * s.inputs * net.ld;
            net.backward(tile.size, keep, desk, d_outputs ? d_outputs + at * units : nullptr,
                         work.sums(thread));
            for (Int e = 0; reset && e < tile.size; e++)
                if (reset[at + e]) std::memset(desk.carry + e * units, 0, units * sizeof(float));
        }
        std::memcpy(d_state + first, desk.carry, floats * sizeof(float));
    });
    each_chunk(s, [&](Int thread, Int from, Int rows) {
        net.learn_embedding(from, rows, x, d_embedded, d_x, work.desk(thread), work.sums(thread));
    });
    net.sum(work.sums(0), s.threads, d_parameters);
    return 0;
}

}  // extern "C"
