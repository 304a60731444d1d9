/* One LSTM and one Dense layer as a plain C loop: about the least time that this core needs.

   make bench compiles it on the spot with the system's cc, the sizes given as macros:
   cc -O3 -march=native -ffast-math -fPIC -c -DSTEPS=50 -DCHANNELS=7 -DUNITS=64 -DOUTPUTS=7
   -ffast-math lets glibc's vector expf take the place of the scalar one.
   UNITS must be a multiple of 8. All arrays are float32 and aligned to 64 bytes. */
#include <math.h>
#include <string.h>

#ifdef __AVX512F__                  /* 32 registers of 16 lanes, else 16 of 8 */
#define LANES 16
#define VECTORS 16                  /* sums that stay in registers at once */
#else
#define LANES 8
#define VECTORS 8
#endif
#define WIDTH (CHANNELS + UNITS)
#define BLOCK (4 * UNITS % (LANES * VECTORS) ? 32 : LANES * VECTORS)

typedef float lanes __attribute__((vector_size(4 * LANES)));

struct model {                      /* gates in Keras' order: i, f, c, o */
    float gates[WIDTH][4][UNITS];   /* kernel above recurrent kernel */
    float bias[4][UNITS];
    float dense[UNITS][OUTPUTS];
    float dense_bias[OUTPUTS];
};

static inline float sigmoid(float z) { return 1 / (1 + expf(-z)); }
static inline float tanh_of(float z) { return 2 * sigmoid(2 * z) - 1; }

/* z = bias + xh gates, in blocks of columns whose sums stay in registers while all of xh passes. */
static void product(const struct model *m, const float *xh, float *z)
{
    for (int start = 0; start < 4 * UNITS; start += BLOCK) {
        lanes acc[BLOCK / LANES];
        memcpy(acc, (const float *)m->bias + start, sizeof acc);
        for (int k = 0; k < WIDTH; k++) {
            const lanes *row = (const lanes *)((const float *)m->gates[k] + start);
            for (int v = 0; v < BLOCK / LANES; v++)
                acc[v] += xh[k] * row[v];
        }
        memcpy(z + start, acc, sizeof acc);
    }
}

/* h and c in place; xh is x beside h. */
static void step(const struct model *m, const float *x, float *xh, float *c)
{
    float z[4][UNITS] __attribute__((aligned(64)));
    memcpy(xh, x, CHANNELS * sizeof *x);
    product(m, xh, z[0]);
    for (int u = 0; u < UNITS; u++) {
        c[u] = sigmoid(z[1][u]) * c[u] + sigmoid(z[0][u]) * tanh_of(z[2][u]);
        xh[CHANNELS + u] = sigmoid(z[3][u]) * tanh_of(c[u]);
    }
}

static void output(const struct model *m, const float *h, float *y)
{
    memcpy(y, m->dense_bias, sizeof m->dense_bias);
    for (int u = 0; u < UNITS; u++)
        for (int j = 0; j < OUTPUTS; j++)
            y[j] += h[u] * m->dense[u][j];
}

/* The forecast of one window, `times` over. */
void window(const struct model *m, const float x[STEPS][CHANNELS], float *y, long times)
{
    while (times--) {
        float xh[WIDTH] = {0}, c[UNITS] __attribute__((aligned(64))) = {0};
        for (int t = 0; t < STEPS; t++)
            step(m, x[t], xh, c);
        output(m, xh + CHANNELS, y);
    }
}

/* One sample of a stream, the state kept in xh and c, `times` over. */
void sample(const struct model *m, const float *x, float *xh, float *c, float *y, long times)
{
    while (times--) {
        step(m, x, xh, c);
        output(m, xh + CHANNELS, y);
    }
}

/* How many fused multiply-adds of float32 a round of `peak` makes. */
int round_size(void) { return 10 * LANES; }

/* Rounds of independent fused multiply-adds: what the core can do at most. */
float peak(float a, float b, long rounds)
{
    lanes acc[10];
    for (int v = 0; v < 10; v++)  /* each its own start, or the compiler keeps one of ten */
        acc[v] = (lanes){0} + (float)v;
    while (rounds--)
        for (int v = 0; v < 10; v++)
            acc[v] = acc[v] * a + b;
    for (int v = 1; v < 10; v++)
        acc[0] += acc[v];
    return acc[0][0];
}
