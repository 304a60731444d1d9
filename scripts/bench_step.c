/* One LSTM and one Dense layer as a plain C loop: about the least time that this core needs.

   make bench compiles it on the spot with the system's cc, the sizes given as macros:
   cc -O3 -march=native -fassociative-math ... (FAST_MATH in bench.py) -shared -fPIC -DSTEPS=50 -DCHANNELS=7 -DUNITS=64 -DOUTPUTS=7
   UNITS must be a multiple of 8. All arrays are float32 and aligned to 32 bytes. */
#include <math.h>
#include <string.h>

#define LANES 8
#define VECTORS (UNITS / LANES)
#define WIDTH (CHANNELS + UNITS)

typedef float lanes __attribute__((vector_size(4 * LANES)));

struct model {                      /* gates in Keras' order: i, f, c, o */
    float gates[4][WIDTH][UNITS];   /* kernel above recurrent kernel, gate by gate */
    float bias[4][UNITS];
    float dense[UNITS][OUTPUTS];
    float dense_bias[OUTPUTS];
};

static inline float sigmoid(float z) { return 1 / (1 + expf(-z)); }
static inline float tanh_of(float z) { return 2 * sigmoid(2 * z) - 1; }

static void gate(const float weights[WIDTH][UNITS], const float *bias, const float *xh, float *sum)
{
    lanes acc[VECTORS];             /* stays in registers while all of xh passes by */
    memcpy(acc, bias, sizeof acc);
    for (int k = 0; k < WIDTH; k++)
        for (int v = 0; v < VECTORS; v++)
            acc[v] += xh[k] * ((const lanes *)weights[k])[v];
    memcpy(sum, acc, sizeof acc);
}

/* h and c in place; xh is x beside h. */
static void step(const struct model *m, const float *x, float *xh, float *c)
{
    float z[4][UNITS] __attribute__((aligned(32)));
    memcpy(xh, x, CHANNELS * sizeof *x);
    for (int g = 0; g < 4; g++)
        gate(m->gates[g], m->bias[g], xh, z[g]);
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
        float xh[WIDTH] = {0}, c[UNITS] __attribute__((aligned(32))) = {0};
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

/* rounds x 10 x 8 independent fused multiply-adds: what the core can do at most. */
float peak(float a, float b, long rounds)
{
    lanes acc[10];
    for (int v = 0; v < 10; v++)  /* each its own start, or the compiler keeps one of ten */
        acc[v] = (lanes){v, v, v, v, v, v, v, v};
    while (rounds--)
        for (int v = 0; v < 10; v++)
            acc[v] = acc[v] * a + b;
    for (int v = 1; v < 10; v++)
        acc[0] += acc[v];
    return acc[0][0];
}
