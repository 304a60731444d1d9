static float NAME_larger(float x, float y)
{
    return x > y ? x : y;
}


static float NAME_relu6(float x)
{
    return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
}


static float NAME_logistic(float x)
{
    return 1.0f / (1.0f + NAME_exp(-x));
}


static float NAME_tanh(float x)
{
    const float square = x * x;

    if (square < 0.09f)  /* the series, exact to a float */
        return x * (1.0f - square * (0.333333333f - square * (0.133333333f
            - square * (0.0539682540f - square * (0.0218694885f - square * 0.00886323553f)))));
    return 1.0f - 2.0f / (1.0f + NAME_exp(2.0f * x));
}


static float NAME_elu(float x)
{
    return x > 0.0f ? x : NAME_exp(x) - 1.0f;
}


/* y = W x + b: four rows at a time, for which an element of x is read once; the last ones again where
   there are fewer */
static void NAME_product(const float *x, const float *w, const float *b, int rows, int columns,
                         float *y)
{
    const int last = rows - 1;
    int r, c;

    for (r = 0; r < rows; r += 4) {
        const int r1 = r + 1 < last ? r + 1 : last, r2 = r + 2 < last ? r + 2 : last,
            r3 = r + 3 < last ? r + 3 : last;
        const float *w0 = w + r * columns, *w1 = w + r1 * columns, *w2 = w + r2 * columns,
            *w3 = w + r3 * columns;
        float sum0 = b[r], sum1 = b[r1], sum2 = b[r2], sum3 = b[r3];

        for (c = 0; c < columns; c++) {
            sum0 += w0[c] * x[c];
            sum1 += w1[c] * x[c];
            sum2 += w2[c] * x[c];
            sum3 += w3[c] * x[c];
        }
        y[r] = sum0;
        y[r1] = sum1;
        y[r2] = sum2;
        y[r3] = sum3;
    }
}


static void NAME_softmax(const float *x, int n, float beta, float *y)
{
    float largest = x[0], sum = 0.0f;
    int i;

    for (i = 1; i < n; i++)
        largest = NAME_larger(largest, x[i]);
    for (i = 0; i < n; i++) {
        y[i] = NAME_exp((x[i] - largest) * beta);
        sum += y[i];
    }
    for (i = 0; i < n; i++)
        y[i] /= sum;
}
