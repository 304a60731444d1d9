/* @TITLE@
 *
 * A detector of anomalies in @CHANNELS@ channels, one sample every @INTERVAL@ s:
 *
@NAMES@
 *
 * It forecasts each sample from those before, and scores how odd the difference and the place are,
 * in decades: a sample of score 4 looks at least as odd as one normal sample in 10^4. From @THRESHOLD@ on is
 * alarm.
 *
 * Made by the stage `firmware` from
@SOURCES@
 */
#ifndef CAPS_H
#define CAPS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAPS_CHANNELS @CHANNELS@
#define CAPS_SCALES @SCALES@       /* time scales of the residual */
#define CAPS_LADDERS @LADDERS@      /* kinds of distance from what is normal */
#define CAPS_SPANS @SPANS@        /* time scales of a distance */
#define CAPS_WARM_UP @WARM_UP@u     /* samples before the first forecast is used */
#define CAPS_LONGEST_GAP @WARM_UP@u /* missing samples in a row; more begin a new session */

/* float, or double with -DCAPS_DOUBLE: the scorer's arithmetic, and samples and scores */
#ifdef CAPS_DOUBLE
typedef double NAME_real;
#else
typedef float NAME_real;
#endif

/* What the network hands from sample to sample. */
typedef struct {
@STATES@
} NAME_states;

#ifdef CAPS_HOOK
/* A network of your own, such as the .tflite in an interpreter: reads the sample and the states,
 * writes the forecast of the next sample and the next states. All are numbers of the file itself,
 * states in the order of its inputs. */
typedef void (*NAME_network)(void *context, const @TYPE@ sample[CAPS_CHANNELS],
                             NAME_states *states, @TYPE@ forecast[CAPS_CHANNELS]);
#endif

/* All that changes. Its members are the detector's own. */
typedef struct {
#ifdef CAPS_HOOK
    NAME_network network;
    void *context;
#endif
    NAME_states states;
    float forecast[CAPS_CHANNELS]; /* of the next sample, in standard deviations like all here */
    float held[CAPS_CHANNELS];     /* last sample, as the network sees it */
    float last[CAPS_CHANNELS];     /* last sample, as the scorer sees it */
    NAME_real smoothed[CAPS_SCALES][CAPS_CHANNELS];
    NAME_real ladders[CAPS_LADDERS][CAPS_SPANS];
    NAME_real missing[CAPS_CHANNELS];
    NAME_real lately;              /* mean decades of the residual */
    NAME_real score;
    uint16_t seen;                 /* samples, up to CAPS_WARM_UP */
    uint8_t alarm;
} NAME_state;

/* Before the first sample, and to begin anew. */
#ifdef CAPS_HOOK
void NAME_init(NAME_state *state, NAME_network network, void *context);
#else
void NAME_init(NAME_state *state);
#endif

/* One sample in the channels' own units, NaN (or infinite) where missing. Returns 1 while in alarm,
 * else 0; writes the score where it is wanted (else NULL). */
int NAME_step(NAME_state *state, const NAME_real sample[CAPS_CHANNELS], NAME_real *score);

/* So many samples were lost since the last. More than CAPS_LONGEST_GAP begin a new session: the
 * state, the warm-up and the alarm begin anew; fewer are samples with all channels missing. */
void NAME_gap(NAME_state *state, uint32_t samples);

#ifndef CAPS_HOOK
/* Replays what the pipeline decided: 0, or the row that differs (NAME_test.c). */
long NAME_test(NAME_state *state, uint32_t *crc);
#endif

#ifdef __cplusplus
}
#endif

#endif /* CAPS_H */
