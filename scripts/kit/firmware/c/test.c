/* @TITLE@
 *
 * What the pipeline decided on a stretch of its test part, to replay on a device: an alarm, lost
 * samples, a gap that is a new session, a reset. No stdio:
 *
 *   static NAME_state state;
 *   uint32_t crc;
 *   long row = NAME_test(&state, &crc);
 *
 * row is 0 where this build decides alike, or the first row, from 1, whose alarm differs or whose
 * score does by more than 0.001 decades, or the number of rows and 1 where the CRC alone differs.
 * -DCAPS_TEST_MAIN makes a program of it, which ends with 0 or 1. */
#include "NAME.h"

#include <stddef.h>

#define EXACT @EXACT@ /* 1: forecasts are integers, and their bits are in the CRC */
#define NONE 3.4e38f /* counts as missing, as NaN does */
#define NAME_RESET 0xffffffffu
#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

typedef struct {
    float sample[CAPS_CHANNELS], score;
    unsigned char alarm;
} NAME_row;

typedef struct {
    unsigned short row;
    uint32_t lost; /* samples before the row */
} NAME_event;

static const NAME_event events[] = {
@EVENTS@
};

static const NAME_row rows[] = {
@ROWS@
};

static uint32_t crc32_of(uint32_t crc, uint32_t bits, int bytes)
{
    int bit;

    for (; bytes > 0; bytes--, bits >>= 8) {
        crc ^= bits & 0xffu;
        for (bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1u ? 0xedb88320u : 0u);
    }
    return crc;
}

static uint32_t bits_of(float value)
{
    union {
        float value;
        uint32_t bits;
    } both;

    both.value = value;
    return both.bits;
}

long NAME_test(NAME_state *state, uint32_t *crc)
{
    uint32_t sum = 0xffffffffu;
    long differs = 0;
    size_t r, e = 0;
    int c;

    NAME_init(state);
    for (r = 0; r < LENGTH(rows); r++) {
        NAME_real sample[CAPS_CHANNELS], score, apart;
        int alarm;

        if (e < LENGTH(events) && events[e].row == r) {
            if (events[e].lost == NAME_RESET)
                NAME_init(state);
            else
                NAME_gap(state, events[e].lost);
            e++;
        }
        for (c = 0; c < CAPS_CHANNELS; c++)
            sample[c] = rows[r].sample[c];
        alarm = NAME_step(state, sample, &score);
        apart = score - rows[r].score;
        if (!differs && (alarm != rows[r].alarm || !(apart < 0.001f && apart > -0.001f)))
            differs = (long)r + 1;
        sum = crc32_of(sum, (uint32_t)alarm, 1);
        for (c = 0; EXACT && c < CAPS_CHANNELS; c++)
            sum = crc32_of(sum, bits_of(state->forecast[c]), 4);
    }
    sum = ~sum;
    if (crc)
        *crc = sum;
    return differs ? differs : sum != @CRC@ ? (long)LENGTH(rows) + 1 : 0;
}

#ifdef CAPS_TEST_MAIN
int main(void)
{
    static NAME_state state;

    return NAME_test(&state, NULL) != 0;
}
#endif
