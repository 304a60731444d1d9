/* x m 2^(e - 31), rounded once; e >= 0 */
static inline int32_t NAME_up(int32_t x, int32_t m, int e)
{
    return (int32_t)(((int64_t)x * (1 << e) * m + (1 << 30)) >> 31);
}


static inline int32_t NAME_clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}
