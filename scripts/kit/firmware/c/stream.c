/* ---- what is called: samples in, scores and alarms out ---- */

static float NAME_within(float x, float limit)
{
    return x < -limit ? -limit : x > limit ? limit : x;
}


/* Back to before the first sample. */
static void NAME_begin(NAME_state *s)
{
    int c, j, k;

    NAME_clear(&s->states);
    for (c = 0; c < C; c++) {
        s->held[c] = s->last[c] = s->forecast[c] = 0.0f;
        s->missing[c] = R(0.0);
        for (j = 0; j < CAPS_SCALES; j++)
            s->smoothed[j][c] = R(0.0);
    }
    for (k = 0; k < CAPS_LADDERS; k++)
        for (j = 0; j < CAPS_SPANS; j++)
            s->ladders[k][j] = NAME_usual[k];
    s->lately = NAME_usual_decades;
    s->score = R(0.0);
    s->seen = 0;
    s->alarm = 0;
}


#ifdef CAPS_HOOK
void NAME_init(NAME_state *s, NAME_network network, void *context)
{
    s->network = network;
    s->context = context;
    NAME_begin(s);
}
#else
void NAME_init(NAME_state *s)
{
    NAME_begin(s);
}
#endif


/* Score one sample, in standard deviations, and forecast the next. */
static void NAME_take(NAME_state *s, const float *x, const uint8_t *there)
{
    int c;

    NAME_score(s, x, there);
    for (c = 0; c < C; c++)
        if (there[c])
            s->held[c] = NAME_within(x[c], CAPS_INPUT_LIMIT);
    NAME_run(s);
    if (s->seen < CAPS_WARM_UP)  /* and stays there, however long it runs */
        s->seen++;
    s->alarm = s->score >= NAME_threshold;
}


int NAME_step(NAME_state *s, const NAME_real sample[CAPS_CHANNELS], NAME_real *score)
{
    float x[C];
    uint8_t there[C];
    int c;

    for (c = 0; c < C; c++) {
        const NAME_real value = sample[c];

        there[c] = value > -R(3.0e38) && value < R(3.0e38);  /* neither NaN nor infinite */
        x[c] = there[c] ? NAME_within((float)(((double)value - NAME_mean[c]) / NAME_std[c]),
                                      CAPS_FARTHEST) : 0.0f;
    }
    NAME_take(s, x, there);
    if (score)
        *score = s->score;
    return s->alarm;
}


void NAME_gap(NAME_state *s, uint32_t samples)
{
    const float x[C] = {0.0f};
    const uint8_t there[C] = {0};

    if (samples > CAPS_LONGEST_GAP)
        NAME_begin(s);
    else
        for (; samples > 0; samples--)
            NAME_take(s, x, there);
}
