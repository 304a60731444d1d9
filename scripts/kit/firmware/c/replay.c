/* Replays a record through the detector, on a PC or on an emulated board, for tests and sizes.

   reads  samples.bin   rows of float32 in the channels' units
   writes results.bin   per row: score as float64, alarm, forecast and states as they are
   Prints nothing; ends with 0, or 1 where a file cannot be read or written. */
#include "NAME.h"
#include "host.h"

#include <string.h>

#define ROWS 64

static NAME_state state;
static float rows[ROWS][CAPS_CHANNELS];
static unsigned char out[sizeof(double) + 1 + sizeof state.forecast + sizeof(NAME_states)];

static int one_row(const float *row)
{
    NAME_real sample[CAPS_CHANNELS], score;
    double wide;
    int c;

    for (c = 0; c < CAPS_CHANNELS; c++)
        sample[c] = row[c];
    out[8] = (unsigned char)NAME_step(&state, sample, &score);
    wide = (double)score;
    memcpy(out, &wide, 8);
    memcpy(out + 9, state.forecast, sizeof state.forecast);
    memcpy(out + 9 + sizeof state.forecast, &state.states, sizeof state.states);
    return host_write(out, (int)sizeof out);
}

int main(void)
{
    int got, r;

    if (host_open("samples.bin", "results.bin"))
        return 1;
    NAME_init(&state);
    while ((got = host_read(rows, (int)sizeof rows)) > 0)
        for (r = 0; r < got / (int)sizeof rows[0]; r++)
            if (one_row(rows[r]))
                return 1;
    return host_close();
}
