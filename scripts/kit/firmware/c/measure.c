/* Instructions and stack of the detector, on an emulated core that counts them.

   reads  samples.bin   rows of float32 in the channels' units, the first ROWS are taken
   writes results.bin   float64: per sample, instructions of the network, of all; bytes of stack */
#include "NAME.c"
#include "count.h"
#include "host.h"

#define ROWS 128

static NAME_state state;
static float rows[ROWS][C];

static void all(void)
{
    NAME_real sample[C];
    int r, c;

    for (r = 0; r < ROWS; r++) {
        for (c = 0; c < C; c++)
            sample[c] = rows[r][c];
        NAME_step(&state, sample, NULL);
    }
}

static void network(void)
{
    int r;

    for (r = 0; r < ROWS; r++)
        NAME_run(&state);
}

int main(void)
{
    double results[3];

    if (host_open("samples.bin", "results.bin") || host_read(rows, (int)sizeof rows) != (int)sizeof rows)
        return 1;
    NAME_init(&state);
    results[2] = stack_of(all);
    results[0] = instructions(network) / ROWS;
    NAME_init(&state);
    results[1] = instructions(all) / ROWS;
    return host_write(results, (int)sizeof results) || host_close();
}
