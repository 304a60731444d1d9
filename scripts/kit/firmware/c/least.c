/* The least program with the detector in it: what its flash is, with the library that it needs. */
#include "NAME.h"

static NAME_state state;
volatile NAME_real sensor[CAPS_CHANNELS];
volatile int alarm;

int main(void)
{
    NAME_real sample[CAPS_CHANNELS], score;
    int c;

    NAME_init(&state);
    NAME_gap(&state, 1);
    for (c = 0; c < CAPS_CHANNELS; c++)
        sample[c] = sensor[c];
    alarm = NAME_step(&state, sample, &score);
    return 0;
}
