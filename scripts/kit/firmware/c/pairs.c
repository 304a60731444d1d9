/* What products of int8 and of int16 share; ELEMENT is the type of a number. */


/* Lay x out from column `first` on as NAME_product reads it: in each four the second and the
   third change places, because a core with SMLAD takes apart four bytes so. */
static void NAME_spread(int16_t *into, int first, const ELEMENT *x, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        const int to = first + i;
        into[(to & ~3) | (to & 1) << 1 | (to >> 1 & 1)] = x[i];
    }
}


#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#include <arm_acle.h>
static inline uint32_t NAME_word(const void *from)
{
    uint32_t word;

    memcpy(&word, from, sizeof word);
    return word;
}
#endif
