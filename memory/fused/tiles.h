// Matrices in tiles that stay in the cache: products, linear layers, normalisation.
//
// A matrix lies in rows of `ld` floats, a little more than it holds: whole vectors may run over its
// end, and its rows do not all fall on one set of the cache. What lies past the end is never taken
// for a number. Every sum has one order, whatever the number of rows.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int W = 16, M = 8;
#elif defined(__AVX__)
constexpr int W = 8, M = 6;
#elif defined(__aarch64__)
constexpr int W = 4, M = 8;
#else
constexpr int W = 4, M = 6;
#endif
constexpr int P = 2 * W;  // a panel: M x P sums fit into the registers

typedef float Vector __attribute__((vector_size(4 * W), aligned(4)));
typedef int64_t Int;

namespace {

Int padded(Int columns) { return (columns + P - 1) / P * P + W; }

// Hands out consecutive pieces; without a base it only counts.
struct Pieces {
    float* base;
    Int used = 0;
    float* take(Int floats) {
        float* piece = base ? base + used : nullptr;
        used += (floats + W - 1) / W * W;
        return piece;
    }
};

// ---- functions of one number ----

inline float exponential(float x) {  // after Cephes; NaN stays NaN
    x = x > 88.0f ? 88.0f : x;
    x = x < -87.0f ? -87.0f : x;
    float n = std::rint(x * 1.44269504f);
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return p * power;
}

inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

inline float tangent(float x) {  // tanh, after Cephes
    float a = std::fabs(x), z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    float near = p * z * x + x, far = 1.0f - 2.0f / (exponential(2.0f * a) + 1.0f);
    return a < 0.625f ? near : (x < 0.0f ? -far : far);
}

inline float dot(const float* a, const float* b, Int n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

inline void add_scaled(float* y, float a, const float* x, Int n) {
#pragma omp simd
    for (Int i = 0; i < n; i++) y[i] += a * x[i];
}

inline bool is_zero(const float* x, Int n) {
    return !x || std::all_of(x, x + n, [](float v) { return v == 0; });
}

// Steps up to the last one whose outputs have a gradient. `each` is the size of the outputs of one.
inline Int steps_with_gradient(Int steps, const float* d_outputs, Int each) {
    while (steps > 1 && is_zero(d_outputs ? d_outputs + (steps - 1) * each : nullptr, each)) steps--;
    return steps;
}

// ---- products of matrices ----

// Two neighbours in a sum, in bfloat16: the lower half of the word comes first. Their products are
// exact and are summed in float32.
typedef uint32_t Pair;

inline uint16_t half(float x) {  // to the nearest; NaN stays NaN
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return x != x ? 0x7fc0 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

// Pairs of neighbours in a row.
inline void pair_across(Int rows, Int columns, const float* x, Int ldx, Pair* to, Int ld) {
    for (Int r = 0; r < rows; r++) {
        uint16_t* row = (uint16_t*)(to + r * ld);
        for (Int c = 0; c < columns; c++) row[c] = half(x[r * ldx + c]);
        row[columns] = 0;
    }
}

// The r-th of some rows: of all, or of those that a list names.
inline Int at(const Int* list, Int r) { return list ? list[r] : r; }

// Pairs of neighbours in a column of such rows.
inline void pair_down(Int rows, const Int* list, Int columns, const float* x, Int ldx, Pair* to,
                      Int ld) {
    for (Int r = 0; r < rows; r += 2) {
        const float *upper = x + at(list, r) * ldx;
        const float *lower = r + 1 < rows ? x + at(list, r + 1) * ldx : nullptr;
        for (Int c = 0; c < columns; c++)
            to[r / 2 * ld + c] = half(upper[c]) | (lower ? (Pair)half(lower[c]) << 16 : 0);
    }
}

inline Vector add_product(Vector sum, float x, const float* y) {
    return sum + x * *(const Vector*)y;
}
#if defined(__AVX512BF16__)
constexpr bool HALVES = true;
inline Vector add_product(Vector sum, Pair x, const Pair* y) {
    return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(x),
                                    (__m512bh)_mm512_loadu_si512(y));
}
#else
constexpr bool HALVES = false;
inline Vector add_product(Vector sum, Pair, const Pair*) { return sum; }  // nobody may ask for it
#endif

// C[R, P] = bias or C, plus A[R, k] B[k, P]. A lies in rows of `lda`, or in columns of it.
template <int R, bool Columns, class E>
void corner(Int k, const E* a, Int lda, const E* b, Int ldb, float* c, Int ldc, const float* bias) {
    Vector sum[R][2];
    for (int i = 0; i < R; i++)
        for (int j = 0; j < 2; j++)
            sum[i][j] = *(const Vector*)((bias ? bias : c + i * ldc) + j * W);
    for (Int p = 0; p < k; p++, b += ldb) {
#pragma GCC unroll 8
        for (int i = 0; i < R; i++) {
            E x = Columns ? a[p * lda + i] : a[i * lda + p];
            sum[i][0] = add_product(sum[i][0], x, b);
            sum[i][1] = add_product(sum[i][1], x, b + W);
        }
    }
    for (int i = 0; i < R; i++)
        for (int j = 0; j < 2; j++) *(Vector*)(c + i * ldc + j * W) = sum[i][j];
}

// C[rows, P] from `corner`s.
template <bool Columns, class E, int R = M>
void panel(Int rows, Int k, const E* a, Int lda, const E* b, Int ldb, float* c, Int ldc,
           const float* bias) {
    for (; rows >= R; rows -= R, a += Columns ? R : R * lda, c += R * ldc)
        corner<R, Columns>(k, a, lda, b, ldb, c, ldc, bias);
    if constexpr (R > 1)
        if (rows) panel<Columns, E, R - 1>(rows, k, a, lda, b, ldb, c, ldc, bias);
}

// C[R, P] += A[R, k] B[k, P], at rows of A and of C that lists name.
template <int R, class E>
void listed_corner(Int k, const E* a, Int lda, const Int* from, const E* b, float* c, Int ldc,
                   const Int* to) {
    const E* rows[R];
    Vector sum[R][2];
    for (int i = 0; i < R; i++) {
        rows[i] = a + from[i] * lda;
        for (int j = 0; j < 2; j++) sum[i][j] = *(const Vector*)(c + to[i] * ldc + j * W);
    }
    for (Int p = 0; p < k; p++, b += P) {
#pragma GCC unroll 8
        for (int i = 0; i < R; i++) {
            E x = rows[i][p];
            sum[i][0] = add_product(sum[i][0], x, b);
            sum[i][1] = add_product(sum[i][1], x, b + W);
        }
    }
    for (int i = 0; i < R; i++)
        for (int j = 0; j < 2; j++) *(Vector*)(c + to[i] * ldc + j * W) = sum[i][j];
}

// C[listed rows, P] from `listed_corner`s.
template <class E, int R = M>
void listed_panel(Int rows, Int k, const E* a, Int lda, const Int* from, const E* b, float* c,
                  Int ldc, const Int* to) {
    for (; rows >= R; rows -= R, from += R, to += R)
        listed_corner<R>(k, a, lda, from, b, c, ldc, to);
    if constexpr (R > 1)
        if (rows) listed_panel<E, R - 1>(rows, k, a, lda, from, b, c, ldc, to);
}

// Rows of one matrix, and those of another that go with them.
struct Listed {
    Int count;
    const Int *from, *to;
};

// A linear layer, or a slice of the columns of one, with its weight packed into panels.
struct Linear {
    Int in, out, parameter, column, stride;
    bool biased;
    float *ahead, *back, *bias;
    Int gradient;  // where [out, padded(in)] lies among a thread's gradients, its bias after it
    bool halves;   // products in bfloat16: ahead and back hold pairs
    Int gap_at = 0, gap = 0;  // columns of the weight that are left out

    Int column_of(Int i) const { return i < gap_at ? i : i + gap; }

    void pack(const float* weight, const float* offset, bool backwards) {
        weight += column;
        if (backwards) {
            for (Int j = 0; j < in; j += P)
                for (Int o = 0; o < even(out); o++) pack_columns(weight, j, o, back + j * length(out));
            return;
        }
        std::memset(bias, 0, padded(out) * sizeof(float));
        if (biased) std::memcpy(bias, offset, out * sizeof(float));
        for (Int j = 0; j < out; j += P)
            for (Int i = 0; i < even(in); i += W)  // so few that the cache holds what is read
                for (Int c = i; c < std::min(even(in), i + W); c++)
                    pack_rows(weight, j, c, ahead + j * length(in));
    }
    // On the desk matrices are laid out anew: paired, in tiles.
    void forward(Int rows, const float* x, Int ldx, float* y, Int ldy, Pair* desk, bool add) const {
        times(rows, in, x, ldx, ahead, out, y, ldy, add ? nullptr : bias, P, desk);
    }
    void backward(Int rows, const float* dy, Int ldy, float* dx, Int ldx, Pair* desk,
                  bool add) const {
        static const float zeros[P] = {};
        times(rows, out, dy, ldy, back, in, dx, ldx, add ? nullptr : zeros, 0, desk);
    }
    // `again`: dy is that of the call before on this desk, by a layer of as many outputs.
    void learn(Int rows, const float* dy, Int ldy, const float* x, Int ldx, Pair* desk,
               float* gradients, bool again = false) const {
        learn_at({rows, nullptr, nullptr}, dy, ldy, x, ldx, desk, gradients, again);
        for (Int r = 0; biased && r < rows; r++)
            add_scaled(gradients + gradient + out * padded(in), 1, dy + r * ldy, out);
    }

    // The same between listed rows of x and y, without the bias. What is computed is added. The
    // desk is as the call for all rows of x, or dy, left it.
    void forward_at(const Listed& rows, const float* x, Int ldx, float* y, Int ldy,
                    const Pair* desk) const {
        times_at(rows.count, in, x, ldx, rows.from, ahead, out, y, ldy, rows.to, desk);
    }
    void backward_at(const Listed& rows, const float* dy, Int ldy, float* dx, Int ldx,
                     const Pair* desk) const {
        times_at(rows.count, out, dy, ldy, rows.to, back, in, dx, ldx, rows.from, desk);
    }
    void learn_at(const Listed& rows, const float* dy, Int ldy, const float* x, Int ldx, Pair* desk,
                  float* gradients, bool again = false) const {
        float* into = gradients + gradient;
        if (!halves) return add_outer(rows, dy, ldy, x, ldx, (float*)desk, into, again);
        Int pairs = (rows.count + 1) / 2;
        Pair *other = desk + pairs * padded(out), *tiles = other + pairs * padded(in);
        if (!again) pair_down(rows.count, rows.to, out, dy, ldy, desk, padded(out));
        pair_down(rows.count, rows.from, in, x, ldx, other, padded(in));
        add_outer({pairs, nullptr, nullptr}, desk, padded(out), other, padded(in), tiles, into,
                  false);
    }

    // Words of a desk for so many rows.
    static Int desk(Int rows, Int in, Int out) { return (rows + 1) * (padded(in) + padded(out)); }

   private:
    // C[out, in] += A[k, out]^T B[k, in]. Sums run down the columns. Listed rows, or many rows far
    // apart, are gathered first, A in tiles of M columns and B in panels, so that a sum touches few
    // pages of memory; what it is added to is asked for one sum ahead.
    template <class E>
    void add_outer(const Listed& rows, const E* a, Int lda, const E* b, Int ldb, E* tiles, float* c,
                   bool again) const {
        Int ldc = padded(in), k = rows.count;
        if (k < 128 && !rows.to) {
            for (Int j = 0; j < in; j += P)
                panel<true>(out, k, a, lda, b + j, ldb, c + j, ldc, nullptr);
            return;
        }
        E* columns = tiles + k * padded(out);
        for (Int p = 0; p < k && !again; p++)
            for (Int o = 0; o < out; o += M)
                std::memcpy(tiles + o * k + p * M, a + at(rows.to, p) * lda + o, M * sizeof(E));
        for (Int j = 0; j < in; j += P) {
            for (Int p = 0; p < k; p++)
                std::memcpy(columns + p * P, b + at(rows.from, p) * ldb + j, P * sizeof(E));
            for (Int o = 0; o < out; o += M) {
                float* sums = c + o * ldc + j;
                for (Int i = M; i < std::min(out - o, (Int)2 * M); i++)
                    __builtin_prefetch(sums + i * ldc, 1), __builtin_prefetch(sums + i * ldc + W, 1);
                panel<true>(std::min(out - o, (Int)M), k, tiles + o * k, M, columns, P, sums, ldc,
                            nullptr);
            }
        }
    }
    // Number c of the sums of a panel's outputs, from output j on.
    void pack_rows(const float* weight, Int j, Int c, float* panel) const {
        const float* from = weight + j * stride + column_of(c);
        Int count = c < in ? std::min<Int>(P, out - j) : 0;
        float numbers[P] = {};
        for (Int o = 0; o < count; o++) numbers[o] = from[o * stride];
        put(panel, c, numbers);
    }
    // Number o of the sums of a panel's inputs, from input j on.
    void pack_columns(const float* weight, Int j, Int o, float* panel) const {
        const float* from = weight + o * stride;
        Int count = o < out ? std::min<Int>(P, in - j) : 0;
        Int before = std::min(count, std::max<Int>(0, gap_at - j));
        float numbers[P] = {};
        for (Int i = 0; i < before; i++) numbers[i] = from[j + i];
        for (Int i = before; i < count; i++) numbers[i] = from[j + i + gap];
        put(panel, o, numbers);
    }
    Int even(Int k) const { return halves ? k + k % 2 : k; }
    Int length(Int k) const { return halves ? even(k) / 2 : k; }
    void put(float* panel, Int k, const float* numbers) const {
        if (!halves)
            std::memcpy(panel + k * P, numbers, P * sizeof(float));
        else
            for (Int c = 0; c < P; c++)
                ((uint16_t*)panel)[(k / 2 * P + c) * 2 + k % 2] = half(numbers[c]);
    }
    void times(Int rows, Int k, const float* a, Int lda, const float* b, Int columns, float* c,
               Int ldc, const float* bias, Int step, Pair* desk) const {
        if (halves) pair_across(rows, k, a, lda, desk, padded(k) / 2);
        for (Int j = 0; j < columns; j += P, c += P, bias += bias ? step : 0)
            if (halves)
                panel<false>(rows, length(k), desk, padded(k) / 2, (const Pair*)b + j * length(k),
                             P, c, ldc, bias);
            else
                panel<false>(rows, k, a, lda, b + j * k, P, c, ldc, bias);
    }
    void times_at(Int rows, Int k, const float* a, Int lda, const Int* from, const float* b,
                  Int columns, float* c, Int ldc, const Int* to, const Pair* desk) const {
        for (Int j = 0; j < columns; j += P, c += P)
            if (halves)
                listed_panel(rows, length(k), desk, padded(k) / 2, from,
                             (const Pair*)b + j * length(k), c, ldc, to);
            else
                listed_panel(rows, k, a, lda, from, b + j * k, c, ldc, to);
    }
};

// The gradients of a layer, from those of each thread, which lie `each` floats apart.
inline void add_up(const Linear& layer, const float* sums, Int threads, Int each, float* weight,
                   float* bias) {
    weight += layer.column;
    for (Int thread = 0; thread < threads; thread++) {
        const float* from = sums + thread * each + layer.gradient;
        for (Int o = 0; o < layer.out; o++)
            for (Int i = 0; i < layer.in; i++) {
                float& sum = weight[o * layer.stride + layer.column_of(i)];
                sum = (thread ? sum : 0) + from[o * padded(layer.in) + i];
            }
        for (Int o = 0; layer.biased && o < layer.out; o++)
            bias[o] = (thread ? bias[o] : 0) + from[layer.out * padded(layer.in) + o];
    }
}

// Normalisation over a row: y = gain * unit + offset, unit = (x - mean) / deviation.
struct Norm {
    Int size, parameter;
    const float *gain, *offset;
    Int gradient;

    void apply(Int rows, float* x, Int ld, float* unit, float* scale) const {
        for (Int r = 0; r < rows; r++, x += ld, unit += ld) {
            float mean = 0, square = 0;
#pragma omp simd reduction(+ : mean)
            for (Int i = 0; i < size; i++) mean += x[i];
            mean /= size;
#pragma omp simd reduction(+ : square)
            for (Int i = 0; i < size; i++) square += (x[i] - mean) * (x[i] - mean);
            float inverse = scale[r] = 1 / std::sqrt(square / size + 1e-5f);
#pragma omp simd
            for (Int i = 0; i < size; i++) {
                unit[i] = (x[i] - mean) * inverse;
                x[i] = unit[i] * gain[i] + offset[i];
            }
        }
    }
    void again(Int rows, const float* unit, float* y, Int ld) const {
        for (Int r = 0; r < rows; r++)
#pragma omp simd
            for (Int i = 0; i < size; i++) y[r * ld + i] = unit[r * ld + i] * gain[i] + offset[i];
    }
    // From the gradient of y to that of x, in place.
    void backward(Int rows, float* d, Int ld, const float* unit, const float* scale,
                  float* gradients) const {
        float *by_gain = gradients + gradient, *by_offset = by_gain + size;
        for (Int r = 0; r < rows; r++, d += ld, unit += ld) {
            float mean = 0, along = 0;
#pragma omp simd reduction(+ : mean, along)
            for (Int i = 0; i < size; i++) {
                by_gain[i] += d[i] * unit[i];
                by_offset[i] += d[i];
                d[i] *= gain[i];
                mean += d[i];
                along += d[i] * unit[i];
            }
            mean /= size, along /= size;
#pragma omp simd
            for (Int i = 0; i < size; i++) d[i] = scale[r] * (d[i] - mean - along * unit[i]);
        }
    }
};

}  // namespace
