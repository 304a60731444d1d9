static NAME_real NAME_limited(NAME_real x, NAME_real low, NAME_real high)
{
    return x < low ? low : x > high ? high : x;
}


static NAME_real NAME_most(NAME_real x, NAME_real y)
{
    return x > y ? x : y;
}


static NAME_real NAME_magnitude(NAME_real x)
{
    return x < R(0.0) ? -x : x;
}


#ifndef CAPS_DOUBLE
static NAME_real NAME_real_exp(NAME_real x)
{
    return NAME_exp(x);
}

static NAME_real NAME_real_log(NAME_real x)
{
    return NAME_log(x);
}

/* log(1 + x) for x >= 0, exact where x is small (Kahan) */
static NAME_real NAME_real_log1p(NAME_real x)
{
    const float sum = 1.0f + x;

    return sum == 1.0f ? x : NAME_log(sum) * (x / (sum - 1.0f));
}
#endif


/* ---- the scorer: sample and forecast -> score, as kit.detection.scores has it, sample by sample ---- */

/* Scale of each residual: it follows the forecast, its square and its step. */
static NAME_real NAME_scale(const NAME_real *features, int channel)
{
    NAME_real sum = R(0.0);
    int i;

    for (i = 0; i < 3 * C; i++)
        sum += NAME_limited(features[i], NAME_state_low[i], NAME_state_high[i])
            * NAME_state_weights[i][channel];
    return NAME_real_exp(NAME_log_scale[channel] + sum);
}


/* The centre nearest to the forecast: the operating regime. */
static int NAME_nearest(const NAME_real *expected)
{
    NAME_real least = R(0.0);
    int k, c, nearest = 0;

    for (k = 0; k < CAPS_REGIMES; k++) {
        NAME_real sum = R(0.0);

        for (c = 0; c < C; c++) {
            const NAME_real apart = expected[c] - NAME_centres[k][c];
            sum += apart * apart;
        }
        if (k == 0 || sum < least) {
            least = sum;
            nearest = k;
        }
    }
    return nearest;
}


/* Put the expected value given the others where there is no residual: inverse[gone][gone] z =
   -inverse[gone][known] z, by elimination; the matrix is positive definite. */
static void NAME_impute(NAME_real *z, const uint8_t *known, const NAME_real (*inverse)[C])
{
    NAME_real rows[C][C + 1];
    int gone[C], n = 0, i, j, k;

    for (i = 0; i < C; i++)
        if (!known[i])
            gone[n++] = i;
    for (i = 0; i < n; i++) {
        rows[i][n] = R(0.0);
        for (j = 0; j < C; j++)
            if (known[j])
                rows[i][n] -= inverse[gone[i]][j] * z[j];
        for (j = 0; j < n; j++)
            rows[i][j] = inverse[gone[i]][gone[j]];
    }
    for (i = 0; i < n; i++)
        for (j = i + 1; j < n; j++) {
            const NAME_real part = rows[j][i] / rows[i][i];
            for (k = i; k <= n; k++)
                rows[j][k] -= part * rows[i][k];
        }
    for (i = n - 1; i >= 0; i--) {
        for (j = i + 1; j < n; j++)
            rows[i][n] -= rows[i][j] * z[gone[j]];
        z[gone[i]] = rows[i][n] / rows[i][i];
    }
}


/* How rare a statistic is on normal data, in decades, ten at most: knots, then a generalised
   Pareto tail. */
static NAME_real NAME_surprise(NAME_real x, const NAME_tail *tail)
{
    const NAME_real *knots = tail->knots, *decades = tail->decades;
    NAME_real beyond, sum;
    int last = tail->count - 1, j = last;

    if (x > knots[last]) {
        beyond = (x - knots[last]) / tail->scale;
        if (tail->shape > R(1e-6))
            beyond = NAME_real_log1p(tail->shape * beyond) / tail->shape;
        sum = decades[last] + beyond / R(2.302585092994046);
        return sum < NAME_most_decades ? sum : NAME_most_decades;
    }
    while (j > 0 && x < knots[j])
        j--;
    if (j == last || x <= knots[j])
        return decades[j];
    return (decades[j + 1] - decades[j]) / (knots[j + 1] - knots[j]) * (x - knots[j]) + decades[j];
}


/* Samples that were missing lately, of the channel that misses most, in whole eighths. */
static NAME_real NAME_missing(NAME_state *s, const uint8_t *there)
{
    NAME_real most = R(0.0);
    int c;

    for (c = 0; c < C; c++) {
        s->missing[c] = s->missing[c] * R(0.875) + (there[c] ? R(0.0) : R(1.0));
        most = NAME_most(most, s->missing[c]);
    }
    return (NAME_real)(int32_t)(R(8.0) * most) / R(8.0);
}


/* Largest of the channels at each time scale: exponential means of z or of its square. */
static void NAME_smooth(NAME_state *s, const NAME_real *z, NAME_real *largest)
{
    int c, j;

    for (j = 0; j < CAPS_SCALES; j++) {
        largest[j] = R(0.0);
        for (c = 0; c < C; c++) {
            const NAME_real limited = NAME_limited(z[c], -NAME_clip[c], NAME_clip[c]);
            const NAME_real fresh = NAME_squared[j] ? limited * limited : limited;
            NAME_real *mean = &s->smoothed[j][c];

            *mean += (fresh - *mean) * NAME_weights[j];
            largest[j] = NAME_most(largest[j], NAME_magnitude(*mean / NAME_norms[j][c] / NAME_units[c]));
        }
    }
}


/* Decades that the residual says: the largest of the channels now and in the means, the distance. */
static NAME_real NAME_residual(NAME_state *s, const float *sample, const uint8_t *there)
{
    NAME_real features[3 * C], z[C], alone[C], statistics[CAPS_SCALES + 2];
    NAME_real rarest = R(0.0), distance = R(0.0), now = R(0.0);
    uint8_t known[C];
    int c, i, regime;
    const int forecast = s->seen >= CAPS_WARM_UP;

    for (c = 0; c < C; c++) {
        const int told = forecast@IS_NUMBER@;
        const NAME_real expected = told ? s->forecast[c] : R(0.0);

        features[c] = expected;
        features[C + c] = expected * expected;
        features[2 * C + c] = NAME_magnitude(expected - s->last[c]);
        known[c] = told && there[c];
    }
    regime = NAME_nearest(features);
    for (c = 0; c < C; c++)
        z[c] = known[c] ? NAME_limited(((NAME_real)sample[c] - s->forecast[c] - NAME_location[c])
            / NAME_scale(features, c), -R(1.0e9), R(1.0e9)) : R(0.0);  /* no sum overflows */
    NAME_impute(z, known, NAME_inverse_covariances[regime]);
    for (c = 0; c < C; c++) {
        NAME_real pulled = R(0.0);

        for (i = 0; i < C; i++)
            pulled += z[i] * NAME_inverse_covariances[regime][i][c];
        alone[c] = pulled / NAME_spreads[regime][c];
        distance += z[c] * pulled;
        now = NAME_most(now, NAME_magnitude(alone[c] / NAME_units[c]));
    }
    statistics[0] = now;
    NAME_smooth(s, alone, statistics + 1);
    statistics[CAPS_SCALES + 1] = distance;
    for (i = 0; i < CAPS_SCALES + 2; i++)
        rarest = NAME_most(rarest, NAME_surprise(statistics[i], &NAME_residual_tails[i]));
    return rarest;
}


/* Logarithm of the squared distance of the sample, with the last value where one is missing. */
static NAME_real NAME_log_distance(const float *held, const NAME_real (*matrix)[C])
{
    NAME_real squared = R(0.0);
    int c, i;

    for (c = 0; c < C; c++) {
        NAME_real pulled = R(0.0);

        for (i = 0; i < C; i++)
            pulled += (NAME_real)held[i] * matrix[i][c];
        squared += (NAME_real)held[c] * pulled;
    }
    return NAME_real_log(NAME_nearest_of_all + NAME_most(squared, R(0.0)));
}


/* Decades that the distances say, from the principal plane and from what is normal: the mean over
   a ladder of exponential means. */
static NAME_real NAME_places(NAME_state *s)
{
    NAME_real sum = R(0.0);
    int k, j;

    for (k = 0; k < CAPS_LADDERS; k++) {
        const NAME_real distance = NAME_log_distance(s->last, NAME_matrices[k]);

        for (j = 0; j < CAPS_SPANS; j++) {
            NAME_real *mean = &s->ladders[k][j];

            *mean += (distance - *mean) * NAME_span_weights[j];
            sum += NAME_surprise(*mean, &NAME_ladder_tails[k][j]);
        }
    }
    return sum / (NAME_real)(CAPS_LADDERS * CAPS_SPANS);
}


/* Decades of the residual less what they have been lately above the usual. */
static NAME_real NAME_news(NAME_state *s, NAME_real decades)
{
    const NAME_real above = NAME_most(s->lately - NAME_usual_decades, R(0.0));

    s->lately += (decades - s->lately) * NAME_lately_weight;
    return NAME_most(decades - above, R(0.0));
}


/* Two pieces of evidence: the rarer, and what each says beyond two decades added up. */
static NAME_real NAME_joined(NAME_real x, NAME_real y)
{
    const NAME_real most = NAME_most(x, y);

    return (most < R(2.0) ? most : R(2.0))
        + (NAME_most(x - R(2.0), R(0.0)) + NAME_most(y - R(2.0), R(0.0)));
}


/* Score a sample, in standard deviations; there: which channels have one. */
static void NAME_score(NAME_state *s, const float *sample, const uint8_t *there)
{
    const NAME_real residual = NAME_news(s, NAME_residual(s, sample, there));
    NAME_real decades, before;
    int c;

    for (c = 0; c < C; c++)
        if (there[c])
            s->last[c] = sample[c];
    decades = NAME_most(NAME_joined(residual, NAME_places(s)),
                        NAME_surprise(NAME_missing(s, there), &NAME_missing_tail));
    before = s->score < NAME_most_decades ? s->score : NAME_most_decades;
    s->score = NAME_most(decades, NAME_fading * before);
}
