/* As NAME_down, for products of two int16. */
static inline int32_t NAME_down_wide(int32_t x, int32_t m, int e)
{
    const int32_t high = (int32_t)(((int64_t)x * m + (1 << 30)) >> 31);

    return (high + (1 << (e - 1)) + (high >> 31)) >> e;
}


#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
static inline int32_t NAME_four(const int16_t *x, const int8_t *w, int32_t sum)
{
    const uint32_t four = NAME_word(w);

    sum = __smlad((int16x2_t)NAME_word(x), __sxtb16((int8x4_t)four), sum);
    return __smlad((int16x2_t)NAME_word(x + 2), __sxtb16((int8x4_t)(four >> 8 | four << 24)), sum);
}
#else
static inline int32_t NAME_four(const int16_t *x, const int8_t *w, int32_t sum)
{
    return sum + x[0] * w[0] + x[1] * w[2] + x[2] * w[1] + x[3] * w[3];
}
#endif


/* y = W x + b: rows of int8 weights, columns a multiple of eight; sums of int64, rounded once with
   a multiplier of 15 bits */
static void NAME_product(const int16_t *x, const int8_t *w, const int64_t *b, int rows, int columns,
                         int32_t m, int e, int32_t zero, int32_t low, int32_t high, int16_t *y)
{
    int r, c;

    for (r = 0; r < rows; r++, w += columns) {
        int64_t sum = b[r];

        for (c = 0; c < columns; c += 8)
            sum += NAME_four(x + c + 4, w + c + 4, NAME_four(x + c, w + c, 0));
        sum = (sum * m + ((int64_t)1 << (14 + e))) >> (15 + e);
        y[r] = (int16_t)NAME_clamp((int32_t)sum + zero, low, high);
    }
}


/* 2^16 / (1 + e^(-i / 24)) */
static const uint16_t NAME_sigmoid[256] = {
@SIGMOID@
};


/* 1 / (1 + e^-x) in 2^-15, x m 2^-e in 2^-12 / 3: between two entries of the table */
static int32_t NAME_logistic(int32_t x, int32_t m, int e)
{
    const int32_t scaled = (x * m + (1 << e >> 1)) >> e;
    const uint32_t size = (uint32_t)(scaled < 0 ? -scaled : scaled), at = size >> 9;
    uint32_t y = UINT32_C(0x7fff) << 10;

    if (at < 255)
        y = ((uint32_t)NAME_sigmoid[at] << 9)
            + (size & 0x1ffu) * ((uint32_t)NAME_sigmoid[at + 1] - NAME_sigmoid[at]);
    y = scaled >= 0 ? y + (1u << 9) : (1u << 25) - y + (1u << 9) - 1;
    return (int32_t)(y >> 10);
}


/* tanh x in 2^-15, as 2 / (1 + e^-2x) - 1 */
static int32_t NAME_tanh(int32_t x, int32_t m, int e)
{
    const int32_t scaled = (x * m + (1 << e >> 1)) >> e;
    const uint32_t size = (uint32_t)(scaled < 0 ? -scaled : scaled), at = size >> 8;
    int32_t y = 0xffff << 8;

    if (at < 255)
        y = (int32_t)(((uint32_t)NAME_sigmoid[at] << 8)
            + (size & 0xffu) * ((uint32_t)NAME_sigmoid[at + 1] - NAME_sigmoid[at]));
    y = scaled >= 0 ? y - (1 << 23) + (1 << 7) : (1 << 23) - y + (1 << 7) - 1;
    return y >> 8;
}
