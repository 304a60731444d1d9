/* x m 2^-31, rounded half up, |x| < 2^30 */
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
static inline int32_t NAME_high(int32_t x, int32_t m)
{
    int32_t high;

    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(2 * x), "r"(m));
    return high;
}
#else
static inline int32_t NAME_high(int32_t x, int32_t m)
{
    return (int32_t)(((int64_t)x * m + (1 << 30)) >> 31);
}
#endif


/* x m 2^-(31 + e), rounded twice, the second time half away from zero; e > 0 */
static inline int32_t NAME_down(int32_t x, int32_t m, int e)
{
    const int32_t high = NAME_high(x, m);

    return (high + (1 << (e - 1)) + (high >> 31)) >> e;
}


#if defined(__ARM_FEATURE_SAT)
#include <arm_acle.h>
static inline int32_t NAME_saturated(int32_t x)
{
    return (int32_t)__ssat(x, 8);
}
#else
static inline int32_t NAME_saturated(int32_t x)
{
    return NAME_clamp(x, -128, 127);
}
#endif


#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
/* Products of two rows with x, two an instruction. The odd bytes stay where they are, 256 times
   too large, in sums of their own; these wrap where the whole does not: up to 1024 columns. */
__attribute__((noinline))
static void NAME_rows(const int16_t *x, const int8_t *w, const int8_t *v, int columns, int32_t *sums)
{
    int32_t even_w = 0, odd_w = 0, even_v = 0, odd_v = 0;
    const int16_t *const end = x + columns;

#define FOUR(at) { \
        const int16x2_t even = (int16x2_t)NAME_word(x + at), odd = (int16x2_t)NAME_word(x + at + 2); \
        const uint32_t four_w = NAME_word(w + at), four_v = NAME_word(v + at); \
        even_w = __smlad(even, __sxtb16((int8x4_t)four_w), even_w); \
        odd_w = __smlad(odd, (int16x2_t)(four_w & 0xff00ff00u), odd_w); \
        even_v = __smlad(even, __sxtb16((int8x4_t)four_v), even_v); \
        odd_v = __smlad(odd, (int16x2_t)(four_v & 0xff00ff00u), odd_v); \
    }
    for (; x != end; x += 8, w += 8, v += 8) {
        FOUR(0)
        __asm__ volatile("" : : : "memory");  /* there are registers for four at a time */
        FOUR(4)
    }
#undef FOUR
    sums[0] = even_w + (odd_w >> 8);
    sums[1] = even_v + (odd_v >> 8);
}
#else
/* Products of two rows with x. */
static void NAME_rows(const int16_t *x, const int8_t *w, const int8_t *v, int columns, int32_t *sums)
{
    int32_t sum_w = 0, sum_v = 0;
    int c;

    for (c = 0; c < columns; c += 4) {
        sum_w += x[c] * w[c] + x[c + 1] * w[c + 2] + x[c + 2] * w[c + 1] + x[c + 3] * w[c + 3];
        sum_v += x[c] * v[c] + x[c + 1] * v[c + 2] + x[c + 2] * v[c + 1] + x[c + 3] * v[c + 3];
    }
    sums[0] = sum_w;
    sums[1] = sum_v;
}
#endif


/* y = W x + b: rows of int8 weights two at a time, the last of an odd number twice; columns a
   multiple of eight */
static void NAME_product(const int16_t *x, const int8_t *w, const int32_t *b, int rows, int columns,
                         int32_t m, int e, int32_t zero, int32_t low, int32_t high, int8_t *y)
{
    int r;

    for (r = 0; r < rows; r += 2) {
        const int next = r + 1 < rows ? r + 1 : r;
        int32_t sums[2];

        NAME_rows(x, w + r * columns, w + next * columns, columns, sums);
        y[r] = (int8_t)NAME_clamp(ROUND(b[r] + sums[0], m, e) + zero, low, high);
        y[next] = (int8_t)NAME_clamp(ROUND(b[next] + sums[1], m, e) + zero, low, high);
    }
}
