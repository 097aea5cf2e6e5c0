// Matrices in tiles that stay in the cache: products, linear layers, normalisation, in float32.
//
// A matrix lies in rows of `ld` floats, a little more than it holds: whole vectors may run over its
// end, and its rows do not all fall on one set of the cache. What lies past the end is never taken
// for a number. Every sum has one order, whatever the number of rows.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

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

// ---- products of matrices ----

// C[R, P] = bias or C, plus A[R, k] B[k, P]. A lies in rows of `lda`, or in columns of it.
template <int R, bool Columns>
void corner(Int k, const float* a, Int lda, const float* b, Int ldb, float* c, Int ldc,
            const float* bias) {
    Vector sum[R][2];
    for (int i = 0; i < R; i++)
        for (int j = 0; j < 2; j++)
            sum[i][j] = *(const Vector*)((bias ? bias : c + i * ldc) + j * W);
    for (Int p = 0; p < k; p++, b += ldb) {
        Vector left = *(const Vector*)b, right = *(const Vector*)(b + W);
#pragma GCC unroll 8
        for (int i = 0; i < R; i++) {
            float x = Columns ? a[p * lda + i] : a[i * lda + p];
            sum[i][0] += x * left;
            sum[i][1] += x * right;
        }
    }
    for (int i = 0; i < R; i++)
        for (int j = 0; j < 2; j++) *(Vector*)(c + i * ldc + j * W) = sum[i][j];
}

// C[rows, P] from `corner`s.
template <bool Columns, int R = M>
void panel(Int rows, Int k, const float* a, Int lda, const float* b, Int ldb, float* c, Int ldc,
           const float* bias) {
    for (; rows >= R; rows -= R, a += Columns ? R : R * lda, c += R * ldc)
        corner<R, Columns>(k, a, lda, b, ldb, c, ldc, bias);
    if constexpr (R > 1)
        if (rows) panel<Columns, R - 1>(rows, k, a, lda, b, ldb, c, ldc, bias);
}

// A linear layer, or a slice of the columns of one, with its weight packed into panels.
struct Linear {
    Int in, out, parameter, column, stride;
    bool biased;
    float *ahead, *back, *bias;
    Int gradient;  // where [out, padded(in)] lies among a thread's gradients, its bias after it

    void pack(const float* weight, const float* offset, bool backwards) {
        weight += column;
        if (backwards) {
            for (Int j = 0; j < in; j += P)
                for (Int o = 0; o < out; o++)
                    for (Int i = 0; i < P; i++)
                        back[j * out + o * P + i] = j + i < in ? weight[o * stride + j + i] : 0;
            return;
        }
        std::memset(bias, 0, padded(out) * sizeof(float));
        if (biased) std::memcpy(bias, offset, out * sizeof(float));
        for (Int j = 0; j < out; j += P)
            for (Int i = 0; i < in; i += 64)  // few enough that the cache holds what is written
                for (Int o = 0; o < P; o++)
                    for (Int c = i; c < std::min(in, i + 64); c++)
                        ahead[j * in + c * P + o] = j + o < out ? weight[(j + o) * stride + c] : 0;
    }
    void forward(Int rows, const float* x, Int ldx, float* y, Int ldy, bool add = false) const {
        for (Int j = 0; j < out; j += P)
            panel<false>(rows, in, x, ldx, ahead + j * in, P, y + j, ldy, add ? nullptr : bias + j);
    }
    void backward(Int rows, const float* dy, Int ldy, float* dx, Int ldx, bool add) const {
        static const float zeros[P] = {};
        for (Int j = 0; j < in; j += P)
            panel<false>(rows, out, dy, ldy, back + j * out, P, dx + j, ldx, add ? nullptr : zeros);
    }
    void learn(Int rows, const float* dy, Int ldy, const float* x, Int ldx,
               float* gradients) const {
        float* into = gradients + gradient;
        for (Int j = 0; j < in; j += P)
            panel<true>(out, rows, dy, ldy, x + j, ldx, into + j, padded(in), nullptr);
        for (Int r = 0; biased && r < rows; r++)
            add_scaled(into + out * padded(in), 1, dy + r * ldy, out);
    }
};

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
