/* How a product is rounded: x m 2^-(31 + e). */


/* once, half up, e > 1: the lower half of the product has no part in it */
static inline int32_t NAME_round_tflite(int32_t x, int32_t m, int e)
{
    return ((int32_t)((int64_t)x * m >> 32) + (1 << (e - 2))) >> (e - 1);
}


/* once, half up, e > -31 */
static inline int32_t NAME_round_tflite_any(int32_t x, int32_t m, int e)
{
    return (int32_t)(((int64_t)x * m + ((int64_t)1 << (30 + e))) >> (31 + e));
}


/* twice, half up; with 32 added to e, the second time half away from zero; e > 0 */
static inline int32_t NAME_round_tf115(int32_t x, int32_t m, int e)
{
    const int32_t high = (int32_t)(((int64_t)x * m + (1 << 30)) >> 31);

    return (high + (1 << ((e & 31) - 1)) + (e & 32 ? high >> 31 : 0)) >> (e & 31);
}
