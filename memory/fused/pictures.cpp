// Convolutions with ReLU over pictures of bytes, forward and backward, in float32.
//
// agents/networks/torso.py has the plain code and memory/fused/pictures.py the call. A row is a place
// of a map. The places that a convolution sees are gathered side by side, so that it is one product
// of matrices. The pictures are cut into tiles, whose maps stay in the cache.
//
// Each picture is computed in one order of operations, whatever the tiles: the forward pass is the
// same bit for bit for any number of pictures and threads.

#include <vector>

#include "threads.h"
#include "workspace.h"

constexpr Int MOST_LAYERS = 8;

struct Shape {  // as in memory/fused/pictures.py
    Int pictures, height, width, kernel, layers, threads;
    Int channels[MOST_LAYERS + 1];
    float low, span;
    Int places() const { return height * width; }
    Int taps() const { return kernel * kernel; }
    Int seen(Int layer) const { return taps() * channels[layer]; }
    Int size() const { return channels[layers] * places(); }
    Int tiles() const {
        Int most = std::max<Int>(1, 256 / places());
        Int count = (pictures + most - 1) / most;
        return std::min(pictures, (count + threads - 1) / threads * threads);
    }
    Int tile() const { return (pictures + tiles() - 1) / tiles(); }
};

namespace {

// The rows that each row sees, for all places of the kernel; beyond the edge a row of zeros, which
// follows those of a tile.
std::vector<Int> rows_seen(const Shape& s) {
    Int before = (s.kernel - 1) / 2;
    std::vector<Int> seen;
    for (Int e = 0; e < s.tile(); e++)
        for (Int place = 0; place < s.places(); place++)
            for (Int tap = 0; tap < s.taps(); tap++) {
                Int y = place / s.width + tap / s.kernel - before;
                Int x = place % s.width + tap % s.kernel - before;
                bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
                seen.push_back(inside ? (e * s.height + y) * s.width + x : s.tile() * s.places());
            }
    return seen;
}

struct Net {
    std::vector<Linear> layers;
    std::vector<Int> seen;
    Int gradients = 0;

    // From a weight [out, kernel, kernel, in] and a bias for each layer, unless they were `packed`
    // there before.
    Net(const Shape& s, const float* const* weights, bool backwards, Pieces& pieces,
        bool packed = false) {
        for (Int i = 0; i < s.layers; i++) {
            Int in = s.seen(i), out = s.channels[i + 1];
            Linear l{in, out, 2 * i, 0, in, true, nullptr, nullptr, nullptr, gradients, false};
            l.ahead = pieces.take(in * padded(out));
            l.back = backwards ? pieces.take(out * padded(in)) : nullptr;
            l.bias = pieces.take(padded(out));
            gradients += padded(in) * out + out;
            if (pieces.base && !packed) {
                l.pack(weights[2 * i], weights[2 * i + 1], false);
                if (backwards) l.pack(weights[2 * i], weights[2 * i + 1], true);
            }
            layers.push_back(l);
        }
        if (pieces.base) seen = rows_seen(s);
    }
};

// What a thread works in.
struct Desk {
    std::vector<float*> maps;  // the picture, then what each layer gives
    float *seen, *d_map, *d_seen;
    Pair* pairs;

    Desk(const Shape& s, Pieces& pieces) {
        Int rows = s.tile() * s.places(), widest = 0, most = 0;
        for (Int i = 0; i <= s.layers; i++) {
            Int ld = padded(s.channels[i]);
            maps.push_back(pieces.take((rows + 1) * ld));
            if (pieces.base) std::memset(maps[i] + rows * ld, 0, ld * sizeof(float));
            most = std::max(most, s.channels[i]);
            if (i < s.layers) widest = std::max(widest, s.seen(i));
        }
        seen = pieces.take(rows * padded(widest)), d_seen = pieces.take(rows * padded(widest));
        d_map = pieces.take((rows + 1) * padded(most));
        pairs = (Pair*)pieces.take(Linear::desk(rows, widest, most));
    }
};

struct Tile {
    const Shape& s;
    const Net& net;
    Desk d;
    Int first, pictures;

    Int rows() const { return pictures * s.places(); }
    Int ld(Int layer) const { return padded(s.channels[layer]); }

    // work(columns) for vectors that cover a row of a map; they may run over its end.
    template <class Work>
    void each_vector(Int layer, Work work) const {
        for (Int c = 0; c < s.channels[layer]; c += W) work(c);
    }
    void read(const uint8_t* bytes) const {
        Int depth = s.channels[0];
        bytes += first * s.places() * depth;
        float values[256];
        for (Int i = 0; i < 256; i++) values[i] = ((float)i - s.low) / s.span;
        for (Int r = 0; r < rows(); r++)
            for (Int c = 0; c < depth; c++) d.maps[0][r * ld(0) + c] = values[bytes[r * depth + c]];
    }
    // What runs over the end of what one place of the kernel sees is overwritten by the next.
    void gather(Int layer) const {
        Int n = s.channels[layer], wide = padded(s.seen(layer));
        const Int* from = net.seen.data();
        for (Int r = 0; r < rows(); r++)
            for (Int tap = 0; tap < s.taps(); tap++, from++) {
                float* to = d.seen + r * wide + tap * n;
                const float* map = d.maps[layer] + *from * ld(layer);
                each_vector(layer, [&](Int c) { *(Vector*)(to + c) = *(const Vector*)(map + c); });
            }
    }
    void scatter(Int layer) const {
        Int n = s.channels[layer], wide = padded(s.seen(layer));
        std::memset(d.d_map, 0, rows() * ld(layer) * sizeof(float));
        const Int* to = net.seen.data();
        for (Int r = 0; r < rows(); r++)
            for (Int tap = 0; tap < s.taps(); tap++, to++) {
                const float* from = d.d_seen + r * wide + tap * n;
                float* map = d.d_map + *to * ld(layer);
                each_vector(layer, [&](Int c) { *(Vector*)(map + c) += *(const Vector*)(from + c); });
            }
    }
    void convolve(Int layer) const {
        gather(layer);
        float* out = d.maps[layer + 1];
        net.layers[layer].forward(rows(), d.seen, padded(s.seen(layer)), out, ld(layer + 1),
                                  d.pairs, false);
        for (Int r = 0; r < rows(); r++, out += ld(layer + 1))
            each_vector(layer + 1, [&](Int c) {
                Vector& x = *(Vector*)(out + c);
                x = x < 0 ? Vector{} : x;  // NaN stays NaN
            });
    }
    void write(float* features, Int stride) const {
        const float* map = d.maps[s.layers];
        for (Int e = 0; e < pictures; e++, map += s.places() * ld(s.layers)) {
            float* to = features + (first + e) * stride;
            for (Int c = 0; c < s.channels[s.layers]; c++)
                for (Int p = 0; p < s.places(); p++) *to++ = map[p * ld(s.layers) + c];
        }
    }
    // Gradients of the last maps, where ReLU lets them through.
    void read_back(const float* features, Int stride, const float* d_features, Int d_stride) const {
        float* map = d.d_map;
        for (Int e = 0; e < pictures; e++, map += s.places() * ld(s.layers)) {
            const float* out = features + (first + e) * stride;
            const float* from = d_features + (first + e) * d_stride;
            for (Int c = 0; c < s.channels[s.layers]; c++)
                for (Int p = 0; p < s.places(); p++) {
                    float d = *from++;  // read in any case, so that nothing branches
                    map[p * ld(s.layers) + c] = *out++ > 0 ? d : 0;
                }
        }
    }
    void back(Int layer, float* gradients) const {
        const Linear& l = net.layers[layer];
        Int wide = padded(s.seen(layer));
        gather(layer);
        l.learn(rows(), d.d_map, ld(layer + 1), d.seen, wide, d.pairs, gradients);
        if (!layer) return;
        l.backward(rows(), d.d_map, ld(layer + 1), d.d_seen, wide, d.pairs, false);
        scatter(layer);
        for (Int r = 0; r < rows(); r++)
            each_vector(layer, [&](Int c) {
                Vector& x = *(Vector*)(d.d_map + r * ld(layer) + c);
                x = *(const Vector*)(d.maps[layer] + r * ld(layer) + c) > 0 ? x : Vector{};
            });
    }
};

// work(thread, first picture of a tile, their number) for all tiles.
template <class Work>
void each_tile(const Shape& s, Work work) {
    share(s.tiles(), s.threads, [&](Int thread, Int i) {
        Int first = i * s.tile();
        if (first < s.pictures) work(thread, first, std::min(s.tile(), s.pictures - first));
    });
}

}  // namespace

extern "C" {

// Lays the weights out for forward passes, unless `packed` is null. Gives the floats it takes.
Int engram_pictures_pack(const Shape* s, const float* const* weights, float* packed) {
    Pieces pieces{packed};
    Net(*s, weights, false, pieces);
    return pieces.used;
}

// `features` has a picture's maps, channels first, every `stride` floats; `packed`, which may be null,
// has the weights laid out. Gives 0, or 1 if there is no memory to work in.
int engram_pictures_forward(const Shape* shape, const float* const* weights, float* packed,
                            const uint8_t* pictures, float* features, Int stride) {
    const Shape& s = *shape;
    Workspace<Net, Desk, Shape> work(s, weights, false, packed);
    if (!work.base) return 1;
    Net net = work.net();
    each_tile(s, [&](Int thread, Int first, Int size) {
        Tile tile{s, net, work.desk(thread), first, size};
        tile.read(pictures);
        for (Int i = 0; i < s.layers; i++) tile.convolve(i);
        tile.write(features, stride);
    });
    return 0;
}

// Gradients of the weights and biases, from those of the features.
int engram_pictures_backward(const Shape* shape, const float* const* weights,
                             const uint8_t* pictures, const float* features, Int stride,
                             const float* d_features, Int d_stride, float* const* d_weights) {
    const Shape& s = *shape;
    Workspace<Net, Desk, Shape> work(s, weights, true);
    if (!work.base) return 1;
    Net net = work.net();
    each_tile(s, [&](Int thread, Int first, Int size) {
        Tile tile{s, net, work.desk(thread), first, size};
        tile.read(pictures);
        for (Int i = 0; i + 1 < s.layers; i++) tile.convolve(i);
        tile.read_back(features, stride, d_features, d_stride);
        for (Int i = s.layers - 1; i >= 0; i--) tile.back(i, work.sums(thread));
    });
    for (const Linear& l : net.layers)
        add_up(l, work.sums(0), s.threads, net.gradients, d_weights[l.parameter],
               d_weights[l.parameter + 1]);
    return 0;
}

}  // extern "C"
