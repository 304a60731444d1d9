/* Instructions and stack of a network that emx-onnx-cgen wrote, as measure.c has them of ours.

   reads  samples.bin   rows of float32, the first ROWS are taken
   writes results.bin   float64: per sample, instructions of the network, the same; bytes of stack */
#include "count.h"
#include "host.h"

#define ROWS 128
#define C @CHANNELS@
#define UNITS @UNITS@

void peer(const float x[1][1][C], const float h[1][1][UNITS], const float c[1][1][UNITS],
          float forecast[1][C], float next_h[1][1][UNITS], float next_c[1][1][UNITS]);

static float rows[ROWS][1][1][C], forecast[1][C], h[2][1][1][UNITS], c[2][1][1][UNITS];

static void network(void)
{
    int r;

    for (r = 0; r < ROWS; r++)
        peer((const float (*)[1][C])rows[r], (const float (*)[1][UNITS])h[r % 2],
             (const float (*)[1][UNITS])c[r % 2], forecast, h[1 - r % 2], c[1 - r % 2]);
}

int main(void)
{
    double results[3];

    if (host_open("samples.bin", "results.bin") || host_read(rows, (int)sizeof rows) != (int)sizeof rows)
        return 1;
    results[2] = stack_of(network);
    results[0] = results[1] = instructions(network) / ROWS;
    return host_write(results, (int)sizeof results) || host_close();
}
