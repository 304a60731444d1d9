/* What a caller may do: bad input, no score wanted, gaps, more samples than a counter holds.
   Prints one line per fact, `name value`. */
#include "probe.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

static probe_state state;

static int step(double value, probe_real *score)
{
    probe_real sample[PROBE_CHANNELS];
    int c;

    for (c = 0; c < PROBE_CHANNELS; c++)
        sample[c] = (probe_real)(value < 1e300 ? 10.0 * (c + 1) + value : value);
    return probe_step(&state, sample, score);
}

static double score_of(double value)
{
    probe_real score;

    step(value, &score);
    return (double)score;
}

static void warm(void)
{
    int t;

    probe_init(&state);
    for (t = 0; t < PROBE_WARM_UP + 20; t++)
        step(0.0, NULL);
}

/* Each number of the states as far up or down as it can be, or beyond. */
static void wild_states(void)
{
    static uint32_t seed = 1;
    unsigned char *byte = (unsigned char *)&state.states;
    size_t i;

    for (i = 0; i < sizeof state.states; i++) {
        seed = seed * 1664525u + 1013904223u;
        byte[i] = seed >> 31 ? 0x7f : 0x80;
    }
}

int main(void)
{
    long t;
    int alarm;
    double wild;

    warm();
    printf("normal %.9g\n", score_of(0.0));
    printf("nan %.9g\n", score_of((double)NAN));
    printf("infinity %.9g\n", score_of((double)INFINITY));
    printf("minus_infinity %.9g\n", score_of(-(double)INFINITY));
    warm();
    printf("far %.9g\n", score_of(1e30));
    for (t = 0; t < 200; t++)
        alarm = step(0.0, NULL);
    printf("alarm_after_far %d\n", alarm);
    warm();
    printf("farther_down %.9g\n", score_of(-1e37));

    warm();
    wild = score_of(8.0);
    warm();
    probe_gap(&state, 0);
    printf("no_gap %d\n", wild == score_of(8.0));
    warm();
    probe_gap(&state, 2);
    wild = score_of(0.3);
    warm();
    step((double)NAN, NULL);
    step((double)NAN, NULL);
    printf("gap_is_missing_samples %d\n", wild == score_of(0.3));
    warm();
    probe_gap(&state, 0xffffffffu);
    wild = score_of(0.3);
    probe_init(&state);
    printf("long_gap_is_a_start %d\n", wild == score_of(0.3));

    warm();
    for (t = 0; t < 400; t++) {
        wild_states();
        step(t % 2 ? 1e9 : -1e9, NULL);
    }
    printf("wild_states %.9g\n", score_of(0.0));
    warm();
    state.forecast[0] = NAN;
    printf("lost %.9g\n", score_of(0.0));

    warm();
    for (t = 0; t < 70000; t++)
        step(0.0, NULL);
    printf("seen %d\n", (int)state.seen);
    return 0;
}
